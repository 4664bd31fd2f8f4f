/** Errors of broken connections name the host and the operation and are never empty. */
import assert from "node:assert/strict";
import net from "node:net";
import type { AddressInfo } from "node:net";
import { broken } from "../../src/net/connection_failure.ts";
import type { Outgoing } from "../../src/net/message.ts";
import { clientFor } from "../support/registry/fake_bundle.ts";
import { pushInto, reset, resetMidway } from "../support/registry/corrupted.ts";

async function refusal(url: string): Promise<{ message: string; hint: string }> {
  const client = clientFor(url);
  return await client.ping().then(() => assert.fail("it answered"), (error) => error)
    .finally(() => client.close());
}

/** Does `act` with each connection once something came. */
async function withServer(act: (socket: net.Socket) => void, run: (host: string) => Promise<void>) {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => act(socket));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    await run(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    await new Promise((done) => server.close(done));
  }
}

for (
  const [what, act] of [
    ["reset", (socket) => void socket.resetAndDestroy()],
    ["end", (socket) => void socket.end()],
  ] as [string, (socket: net.Socket) => void][]
) {
  for (const scheme of ["http", "https"]) {
    Deno.test(`a ${what} of ${scheme} names the host`, () =>
      withServer(act, async (host) => {
        const { message, hint } = await refusal(`${scheme}://${host}`);
        assert.equal(message, `GET ${scheme}://${host}/v2/: ${host} closed the connection`);
        assert.equal(hint, "check the log of the registry and of any proxy in front of it");
      }));
  }
}

Deno.test("a server that does not use HTTP or TLS is reported as such", async () => {
  await withServer((socket) => socket.end("hello\r\n\r\n"), async (host) => {
    assert.match((await refusal(`http://${host}`)).message, /:\d+ does not use HTTP$/);
  });
  await withServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"), async (host) => {
    const { message, hint } = await refusal(`https://${host}`);
    assert.match(message, /:\d+ does not use TLS$/);
    assert.match(hint, /--plain-http/);
  });
});

for (
  const [on, act, work] of [
    [/^HEAD .*\/blobs\//, reset, "a blob was looked for"],
    [/^POST /, reset, "an upload was begun"],
    [/^PUT .*\/uploads\//, resetMidway, "a blob was sent"],
    [/^PUT .*\/manifests\//, reset, "a manifest was sent"],
    [/^GET .*\/referrers\//, reset, "the referrers were listed"],
  ] as const
) {
  Deno.test(`a reset is reported with what was being done: ${work}`, () =>
    pushInto((registry) => registry.fault(on, act), ({ registry, error }) => {
      const { message = "" } = error ?? {};
      const reported = `${registry.host} closed the connection while ${work}`;
      assert(message.includes(reported), message);
    }));
}

Deno.test("an error without a message shows its code, or that the connection ended", () => {
  const url = new URL("https://r.test/v2/x/blobs/uploads/1");
  const outgoing: Outgoing = { method: "PATCH", url, purpose: "a blob was sent" };
  const printed = (cause: unknown) => broken(outgoing, cause).message.slice("PATCH ".length);
  const where = "https://r.test/v2/x/blobs/uploads/1: ";
  const empty = (code?: string) => Object.assign(new Error(""), code && { code });
  assert.equal(
    printed(empty("EPIPE")),
    `${where}r.test closed the connection while a blob was sent`,
  );
  assert.equal(printed(empty("EWEIRD")), `${where}EWEIRD`);
  assert.equal(printed(empty()), `${where}the connection ended`);
  assert.equal(printed(new AggregateError([])), `${where}the connection ended`);
  const both = new AggregateError([new Error("connect ECONNREFUSED ::1:1"), new Error("b")]);
  assert.equal(printed(both), `${where}connect ECONNREFUSED ::1:1; b`);
});

Deno.test("an error is classified by its code, never by its text", () => {
  const url = new URL("https://r.test/v2/");
  const of = (code: string, message = "ECONNREFUSED, fatal alert: UnknownCA, socket hang up") => {
    const cause = Object.assign(new Error(message), { code });
    const { reason, isTransient } = broken({ method: "GET", url }, cause);
    return [reason, isTransient];
  };
  assert.deepEqual(of("EWEIRD"), ["reset", true]);
  assert.deepEqual(of("DEPTH_ZERO_SELF_SIGNED_CERT"), ["auth", false]);
  assert.deepEqual(of("ERR_TLS_CERT_ALTNAME_INVALID"), ["auth", false]);
  assert.deepEqual(of("CERT_HAS_EXPIRED"), ["auth", false]);
  assert.deepEqual(of("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"), ["auth", false]);
  assert.deepEqual(of("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"), ["auth", false]);
  assert.deepEqual(of("ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR"), ["reset", true]);
  assert.deepEqual(of("ENOTFOUND"), ["reset", false]);
  assert.deepEqual(of("ETIMEDOUT"), ["timeout", true]);
});
