import { defineCommand } from "../command.ts";
import {
  placeArgument,
  receiptOptions,
  sequenceOptions,
  verifierNeeds,
  verifyOptions,
} from "../options.ts";

export const command = defineCommand({
  path: "export bundle verify",
  aliases: ["verify"],
  summary: "Verify the signature and the contents of a bundle",
  args: { place: placeArgument },
  options: { ...verifyOptions, ...sequenceOptions, ...receiptOptions },
  permissions: ({ args, options }) => [
    ...verifierNeeds(args.place),
    ...options.receipt === undefined ? [] : ["write"] as const,
  ],
  examples: [
    "stella verify out",
    "stella verify /media/stick --trust signer.pub --json",
    "stella verify --manifest /media/a --volumes /media/b --receipt receipt.json",
    "stella verify oci://registry.site:5000/exports/kit:latest",
    "curl -s http://127.0.0.1:8420/v1/exports/ID/bundle.tar | stella verify -",
  ],
  run: async ({ args, options }, host) =>
    (await import("../verify.ts")).verifyPlaces(args.place, options, host),
});
