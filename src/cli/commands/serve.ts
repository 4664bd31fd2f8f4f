import { defineCommand, everyPermission, text } from "../command.ts";

export const command = defineCommand({
  path: "serve",
  summary: "Run the service: exports API, health, status, metrics",
  options: {
    listen: text(
      "address",
      "address to listen on, HOST:PORT " +
        "(default: STELLA_LISTEN, else service.listen, else 127.0.0.1:8420)",
    ),
    opsListen: text(
      "address",
      "serve health, status, metrics and runbook here too, without tokens " +
        "(default: STELLA_OPS_LISTEN, else service.opsListen)",
    ),
  },
  permissions: everyPermission,
  examples: [
    "stella serve",
    "stella serve --listen 127.0.0.1:9000 --config /etc/stella/stella.yaml",
  ],
  run: async ({ options }, host) => (await import("../serve.ts")).serve(options, host),
});
