/** Run as a child with DENO_SERVE_ADDRESS: asks for a port of loopback and says what came of it. */
import { messageOf } from "../../src/domain/errors.ts";
import { serveHttp } from "../../src/http/http_server.ts";

const app = { fetch: () => new Response() };
const printed = await serveHttp(app, { host: "127.0.0.1", port: 0 }).then(
  ({ url }) => url,
  messageOf,
);
await Deno.stdout.write(new TextEncoder().encode(`${printed}\n`));
