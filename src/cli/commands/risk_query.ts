import { defineCommand, text } from "../command.ts";
import { placeArgument, sequenceOptions, verifierNeeds, verifyOptions } from "../options.ts";

export const command = defineCommand({
  path: "risk query",
  summary: "Look up a CVE in the risk data of a verified bundle",
  args: { id: { help: "CVE, or another id such as GHSA-jfh8-c2jp-5v3q" }, place: placeArgument },
  options: {
    ...verifyOptions,
    ...sequenceOptions,
    maxAge: text("duration", "exit with code 16 if a provider's data is older: 12h, 7d, 2w"),
  },
  permissions: ({ args }) => verifierNeeds(args.place),
  examples: [
    "stella risk query CVE-2021-44228 out",
    "stella risk query GHSA-jfh8-c2jp-5v3q /media/stick --trust signer.pub --json",
    "stella risk query CVE-2021-44228 --manifest /media/stick --max-age 7d",
  ],
  run: async ({ args, options }, host) =>
    (await import("../risk_query.ts")).queryRisk(args.id, args.place, options, host),
});
