import { defineCommand, text } from "../command.ts";

export const command = defineCommand({
  path: "spans",
  summary: "Receive spans by OTLP/HTTP and write them to a file",
  options: {
    listen: text("address", "address to listen on, HOST:PORT, on loopback only", {
      default: "127.0.0.1:4318",
    }),
    out: text("file", "file that spans are added to: one line per request, OTLP JSON", {
      default: "spans.ndjson",
    }),
    maxSize: text("mebibytes", "maximum size of the file; full files become FILE.1, FILE.2, ...", {
      default: "64",
    }),
    keep: text("count", "number of full files to keep", { default: "5" }),
  },
  permissions: ["net", "write", "env"],
  examples: ["stella spans --listen 127.0.0.1:4318 --out spans.ndjson"],
  run: async ({ options }, host) => (await import("../spans.ts")).keepSpans(options, host),
});
