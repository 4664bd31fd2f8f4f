/** Registries that hand out their blobs by redirects to a storage. */
import { Repository } from "../../src/registry/repository.ts";
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { RegistryClient } from "../../src/registry/client.ts";
import { isPrivateAddress } from "../../src/domain/private_address.ts";
import { followRedirects } from "../../src/net/redirects.ts";
import { openBlobReader } from "../../src/registry/blob_reader.ts";
import { RemoteError } from "../../src/net/failure.ts";
import { pushBundle } from "../../src/registry/push.ts";
import { type Endpoint, mayBeNamedBy, parseEndpoint } from "../../src/domain/reference.ts";
import { Secret } from "../../src/registry/secret.ts";
import type { EgressPolicy } from "../../src/domain/egress.ts";
import { Transport } from "../../src/net/transport.ts";
import { FakeTiming, withBundle } from "../support/registry/fake_bundle.ts";
import { digestOf, FakeRegistry } from "../support/registry/fake_registry.ts";
import { status } from "../support/registry/corrupted.ts";

/** The storage of `registry`: gives its blobs to whoever has the URL. */
class Storage {
  readonly asked: { line: string; authorization: string | undefined; range: string | undefined }[] =
    [];
  /** The status of HEAD; presigned URLs are often for GET alone. */
  head = 200;
  readonly #server: http.Server;

  constructor(registry: FakeRegistry) {
    this.#server = http.createServer((request, response) => {
      const { method, url = "", headers } = request;
      const { authorization, range } = headers;
      this.asked.push({ line: `${method} ${url}`, authorization, range });
      const bytes = registry.blobs.get(url.split("/").at(-1)!.split("?")[0]!);
      if (bytes === undefined) {
        response.writeHead(url.startsWith("/denied") ? 403 : 404).end();
        return;
      }
      if (method === "HEAD") {
        response.writeHead(this.head, { "content-length": bytes.length }).end();
        return;
      }
      const [, from = "", to = ""] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
      if (from === "") {
        response.writeHead(200, { "content-length": bytes.length }).end(bytes);
        return;
      }
      const part = bytes.subarray(Number(from), Number(to) + 1);
      response.writeHead(206, {
        "content-length": part.length,
        "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`,
      }).end(part);
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

interface Scene {
  registry: FakeRegistry;
  storage: Storage;
  origin: string;
  client(policy?: EgressPolicy, redirects?: readonly string[]): RegistryClient;
}

const basic = `Basic ${btoa("me:hunter2")}`;
const bytes = new Uint8Array(10_000).map((_, at) => at * 7);
const digest = digestOf(bytes) as `sha256:${string}`;
const blob = { digest, size: bytes.length, mediaType: "x" };
const part = 4096;

/** A registry that wants a password and redirects all that is read of blobs. */
function redirectTest(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    const registry = await new FakeRegistry().start();
    const storage = new Storage(registry);
    const origin = await storage.start();
    const clients: RegistryClient[] = [];
    registry.guard = (request, response) => {
      if (request.headers.authorization !== basic) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
        return false;
      }
      const [, name = ""] = /\/blobs\/(sha256:.*)$/.exec(request.url!) ?? [];
      if (!/^(GET|HEAD)$/.test(request.method!) || !registry.blobs.has(name)) return true;
      response.writeHead(307, { location: `${origin}/store/${name}?signature=s3cret` }).end();
      return false;
    };
    try {
      registry.blobs.set(digest, bytes);
      await run({
        registry,
        storage,
        origin,
        client: (policy = () => {}, redirects) => {
          const endpoint = parseEndpoint(`http://${registry.host}`);
          const transport = new Transport({ authorities: [], policy });
          const credentials = { username: "me", password: new Secret("hunter2") };
          const timing = new FakeTiming();
          const client = new RegistryClient({
            endpoint,
            transport,
            timing,
            credentials,
            redirects,
            part,
          });
          clients.push(client);
          return client;
        },
      });
    } finally {
      for (const client of clients) client.close();
      await storage.stop();
      await registry.stop();
    }
  });
}

async function read(client: RegistryClient): Promise<Uint8Array> {
  const repository = new Repository(client, "exports/a", { access: "pull" });
  const reader = (await openBlobReader(repository, blob))!;
  const all = new Uint8Array(reader.size);
  assert.equal(await reader.read(all), bytes.length);
  reader.close();
  return all;
}

redirectTest(
  "a blob is read in parts from the redirect's target, without credentials",
  async ({ client, storage }) => {
    assert.deepEqual(await read(client()), bytes);
    assert(storage.asked.length >= 3, "a request for each part");
    assert(storage.asked.every(({ authorization }) => authorization === undefined));
    assert(storage.asked.every(({ range }) => /^bytes=\d+-\d+$/.test(range ?? "")));
  },
);

redirectTest("the egress policy applies to redirects too", async ({ client, storage, origin }) => {
  const { port } = new URL(origin);
  const sealed = client((_, to) => {
    if (String(to) === port) throw new RemoteError("rejected", "sealed");
  });
  await assert.rejects(read(sealed), { message: /^Cannot read from "oci:.*": sealed$/ });
  assert.deepEqual(storage.asked, []);
});

redirectTest(
  "a registry redirects only to the hosts that are listed for it, if some are",
  async ({ client, storage, origin }) => {
    const refused = client(undefined, ["storage.example"]);
    await assert.rejects(read(refused), (error) => {
      assert(error instanceof RemoteError);
      assert.match(error.hint ?? "", /to redirects of the registry, if it is its storage$/);
      return true;
    });
    assert.deepEqual(storage.asked, []);
    const { port } = new URL(origin);
    assert.deepEqual(await read(client(undefined, [`127.0.0.1:${port}`])), bytes);
  },
);

redirectTest(
  "a public registry cannot redirect to a private address, not even by name",
  async ({ storage, origin }) => {
    const { port } = new URL(origin);
    const resolve = () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
    const transport = new Transport({ authorities: [], policy: () => {}, resolve });
    const ask = (host: string) =>
      transport.send({
        method: "GET",
        url: new URL(`http://${host}:${port}/store/x`),
        redirectedBy: new URL("https://registry.example/v2/"),
      });
    for (const host of ["127.0.0.1", "storage.example"]) {
      await assert.rejects(ask(host), { reason: "egress_refused", message: /a private address/ });
    }
    assert.deepEqual(storage.asked, []);
    transport.close();
  },
);

Deno.test("a redirect to another host is marked as such, one to the same host is not", async () => {
  const endpoint = parseEndpoint("https://r.example");
  const url = new URL("https://r.example/v2/a/blobs/x");
  const answer = (location?: string) => ({
    status: location === undefined ? 200 : 307,
    header: (name: string) => name === "location" ? location : undefined,
    body: new Uint8Array(),
  });
  const targets = ["https://r.example/b", "https://s3.example/c"];
  for (const redirects of [undefined, ["s3.example"]]) {
    const asked: (string | undefined)[] = [];
    const answers = [answer(targets[1]), answer()];
    await followRedirects(
      { endpoint, redirects },
      { method: "GET", url },
      answer(targets[0]),
      (outgoing) => {
        asked.push(outgoing.redirectedBy?.host);
        return Promise.resolve(answers.shift() ?? answer());
      },
    );
    assert.deepEqual(asked, [undefined, redirects === undefined ? "r.example" : undefined]);
  }
});

Deno.test("private addresses are those that the public internet does not route", () => {
  const all = [
    "10.1.2.3",
    "127.0.0.1",
    "169.254.169.254",
    "172.31.0.1",
    "192.168.0.1",
    "100.64.0.1",
  ];
  for (const address of [...all, "::1", "::", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]) {
    assert(isPrivateAddress(address), address);
  }
  for (const address of ["8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8"]) {
    assert(!isPrivateAddress(address), address);
  }
});

redirectTest(
  "a push skips what the storage has, and sends what it does not show",
  async ({ client, storage, registry }) => {
    await withBundle(async ({ dir }) => {
      const push = () => pushBundle({ client: client(), dir, repository: "exports/a", tag: "v1" });
      assert.deepEqual([(await push()).uploaded, (await push()).existed], [6, 6]);
      storage.head = 403;
      assert.equal((await push()).uploaded, 6);
      assert(registry.manifests.has("v1"));
      assert(storage.asked.every(({ authorization }) => authorization === undefined));
    });
  },
);

redirectTest(
  "an error of the storage names the storage without the signed query",
  async ({ client, registry, origin }) => {
    registry.fault(
      /^GET .*\/blobs\//,
      status(307, { location: `${origin}/denied?signature=s3cret` }),
      1,
    );
    await assert.rejects(read(client()), (error) => {
      assert(error instanceof RemoteError);
      const { message, hint } = error;
      assert(message.endsWith(`: 403 Forbidden, from ${origin}, to which it redirects`), message);
      assert(hint?.includes(origin) && !`${message}${hint}`.includes("s3cret"), hint);
      return true;
    });
    registry.fault(/^GET .*\/blobs\//, status(307, { location: `${origin}/gone` }), 1);
    const repository = new Repository(client(), "exports/a", { access: "pull" });
    assert.equal(await openBlobReader(repository, blob), undefined, "404 of the storage");
  },
);

redirectTest("a redirect loop ends", async ({ client, registry }) => {
  registry.fault(/^GET .*\/blobs\//, status(307, { location: "?again" }));
  await assert.rejects(read(client()), { message: /: more than 3 redirects$/ });
  assert.equal(registry.hits, 4);
});

Deno.test("redirects of a registry lead to https, or to http for a registry without TLS", () => {
  const cases: [string, boolean, string, boolean][] = [
    ["https://r.site", false, "https://s3.site/x", true],
    ["https://r.site", false, "http://s3.site/x", false],
    ["https://r.site", false, "http://127.0.0.1/x", false],
    ["http://r.site", true, "http://r.site:9000/x", true],
    ["http://r.site", true, "http://s3.site/x", false],
    ["http://r.site", true, "http://127.0.0.1/x", false],
    ["http://r.site", true, "https://s3.site/x", true],
    ["http://127.0.0.1:5000", false, "http://localhost:9000/x", true],
    ["http://127.0.0.1:5000", false, "http://s3.site/x", false],
    ["http://127.0.0.1:5000", false, "file:///etc/passwd", false],
    ["https://r.site", false, "https://me:pw@s3.site/x", false],
  ];
  for (const [registry, plainHttp, to, isRight] of cases) {
    const endpoint: Endpoint = { url: new URL(registry), plainHttp };
    assert.equal(mayBeNamedBy(endpoint, new URL(to)), isRight, `${registry} -> ${to}`);
  }
});
