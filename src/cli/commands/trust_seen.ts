import { defineCommand, text } from "../command.ts";

export const command = defineCommand({
  path: "trust seen",
  summary: "Show the last bundle of each profile that was unpacked or loaded here",
  options: {
    receipt: text("file", "first remember the bundle of this receipt; repeatable", {
      repeat: true,
    }),
  },
  permissions: ({ options }) => options.receipt.length === 0 ? ["env"] : ["write", "env"],
  examples: ["stella trust seen", "stella trust seen --receipt receipt.json"],
  run: async ({ options }, host) => (await import("../trust_seen.ts")).showSeen(options, host),
});
