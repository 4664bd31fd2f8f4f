/** Connections: addresses, policy, plain HTTP, and the readiness ping. */
import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import net from "node:net";
import { StellaError } from "../../src/domain/errors.ts";
import type { RegistryClient } from "../../src/registry/client.ts";
import { pushResult, RemoteError } from "../../src/net/failure.ts";
import { openRegistry } from "../../src/registry/open.ts";
import { parseEndpoint } from "../../src/domain/reference.ts";
import { Transport } from "../../src/net/transport.ts";
import { clientFor, FakeTiming } from "../support/registry/fake_bundle.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";
import { quick, status } from "../support/registry/corrupted.ts";

/** A client for `url`, whose host resolves to `addresses`; undefined: the look-up never ends. */
function resolving(
  url: string,
  addresses: string[] | undefined,
  plainHttp = false,
): RegistryClient {
  const found: LookupAddress[] | undefined = addresses?.map((address) => ({ address, family: 4 }));
  return openRegistry({ endpoint: parseEndpoint(url, plainHttp) }, {
    timing: new FakeTiming(),
    policy: () => {},
    // A look-up that never ends is given up soon; elsewhere a busy machine is waited for.
    ...(found ? {} : { timeouts: quick }),
    resolve: () => found ? Promise.resolve(found) : new Promise(() => {}),
  });
}

async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

Deno.test("every address of a name is tried", async () => {
  const registry = await new FakeRegistry().start();
  const client = resolving(`http://localhost:${registry.port}`, ["127.0.0.3", "127.0.0.1"]);
  await client.ping();
  assert.deepEqual(registry.log, ["GET /v2/"]);
  client.close();
  await registry.stop();
});

Deno.test("refused connections end as reset, with every address named", async () => {
  const port = await closedPort();
  const client = resolving(`http://localhost:${port}`, ["127.0.0.3", "127.0.0.4"]);
  await assert.rejects(client.ping(), (error) => {
    assert(error instanceof RemoteError && error.reason === "reset", String(error));
    assert.match(
      error.message,
      /^GET http:\/\/localhost:\d+\/v2\/: .*refused the connection \(.*127\.0\.0\.3/,
    );
    assert.match(error.message, /127\.0\.0\.4/);
    return true;
  });
  client.close();
});

Deno.test("a look-up that never answers ends as timeout", async () => {
  const client = resolving("http://localhost:5000", undefined);
  await assert.rejects(client.ping(), {
    reason: "timeout",
    message: /no connection within 0\.5 s$/,
  });
  client.close();
});

Deno.test("plain http does not leave the machine, whatever localhost resolves to", async () => {
  const client = resolving("http://localhost:5000", ["127.0.0.1", "192.0.2.1"]);
  await assert.rejects(client.ping(), {
    reason: "rejected",
    message: /plain http is not allowed beyond this machine$/,
  });
  client.close();
});

Deno.test("a name is resolved once per connection, and checked again for later connections", async () => {
  const registry = await new FakeRegistry().start();
  const answers = ["127.0.0.1", "192.0.2.1"];
  let lookups = 0;
  const endpoint = parseEndpoint(`http://localhost:${registry.port}`);
  const client = openRegistry({ endpoint }, {
    timing: new FakeTiming(),
    policy: () => {},
    resolve: () => Promise.resolve([{ address: answers[lookups++]!, family: 4 }]),
  });
  await client.ping();
  await client.ping();
  assert.deepEqual([lookups, registry.connections], [1, 1], "one look-up, one connection");
  client.close();
  await assert.rejects(client.ping(), /plain http is not allowed beyond this machine$/);
  assert.equal(lookups, 2);
  client.close();
  await registry.stop();
});

Deno.test("plain HTTP is allowed only for the host that it was allowed for", async () => {
  const registry = await new FakeRegistry().start();
  // 0.0.0.0 reaches this machine, and does not count as loopback.
  const client = resolving(`http://registry.test:${registry.port}`, ["0.0.0.0"], true);
  await client.ping();
  assert.deepEqual(registry.log, ["GET /v2/"]);
  client.close();
  const transport = new Transport({
    authorities: [],
    policy: () => {},
    plainHost: "registry.test",
  });
  const url = new URL(`http://0.0.0.0:${registry.port}/`);
  await assert.rejects(transport.send({ method: "GET", url }), {
    reason: "rejected",
    message: /plain http is not allowed beyond this machine$/,
  });
  assert.equal(registry.log.length, 1);
  transport.close();
  await registry.stop();
});

Deno.test("the egress policy is checked first, with host and port", async () => {
  const asked: [string, number][] = [];
  const client = openRegistry({ endpoint: parseEndpoint("https://registry.site") }, {
    timing: new FakeTiming(),
    policy: (host, port) => {
      asked.push([host, port]);
      throw new StellaError("argument_invalid", "The egress policy forbids it");
    },
    resolve: () => Promise.reject(new Error("a name was looked up")),
  });
  await assert.rejects(client.ping(), /The egress policy forbids it/);
  assert.deepEqual(asked, [["registry.site", 443]]);
  client.close();
});

Deno.test("a ping is 200 or 401, asked once", async () => {
  const registry = await new FakeRegistry().start();
  const client = clientFor(`http://${registry.host}`);
  await client.ping();
  registry.fault(/./, status(401), 1);
  await client.ping();
  registry.fault(/./, status(503), 1);
  await assert.rejects(client.ping(), { reason: "server_error" });
  registry.fault(/./, status(404), 1);
  await assert.rejects(client.ping(), { reason: "rejected" });
  const late = new AbortController();
  registry.fault(/./, () => late.abort(new DOMException("", "TimeoutError")), 1);
  await assert.rejects(client.ping(late.signal), {
    kind: "remote",
    reason: "timeout",
  });
  assert.deepEqual([registry.hits, registry.log.length], [4, 5]);
  client.close();
  await registry.stop();
});

Deno.test("the metric's label of an error", () => {
  assert.equal(pushResult(new RemoteError("reset", "x")), "reset");
  assert.equal(pushResult(new StellaError("digest_mismatch", "x")), "digest_mismatch");
  assert.equal(pushResult(new StellaError("argument_invalid", "x")), "rejected");
  assert.equal(pushResult(new Error("x")), "rejected");
});
