import { defineCommand } from "../command.ts";

export const command = defineCommand({
  path: "spans",
  summary: "Keep the spans of a site without a collector: OTLP/HTTP into a file",
  args: {},
  options: {
    listen: {
      kind: "text",
      help: "address to listen on, HOST:PORT, on loopback only",
      value: "address",
      default: "127.0.0.1:4318",
    },
    out: {
      kind: "text",
      help: "file that spans are added to: one line per request, OTLP JSON",
      value: "file",
      default: "spans.ndjson",
    },
    maxSize: {
      kind: "text",
      help: "maximum size of the file; full files become FILE.1, FILE.2, ...",
      value: "mebibytes",
      default: "64",
    },
    keep: { kind: "text", help: "number of full files to keep", value: "count", default: "5" },
  },
  permissions: ["net", "write", "env"],
  examples: ["stella spans --listen 127.0.0.1:4318 --out spans.ndjson"],
  run: async ({ options }, host) => (await import("../spans.ts")).keepSpans(options, host),
});
