import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Repository } from "../../src/registry/repository.ts";
import type { Descriptor } from "../../src/registry/artifact.ts";
import type { Digest } from "../../src/domain/hash.ts";
import type { RegistryClient } from "../../src/registry/client.ts";
import { RemoteError } from "../../src/net/failure.ts";
import { announce, withReferrers } from "../../src/registry/referrers.ts";
import { clientFor } from "../support/registry/fake_bundle.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";

const indexType = "application/vnd.oci.image.index.v1+json";
const subject: Digest = `sha256:${"5".repeat(64)}`;
const tag = `sha256-${"5".repeat(64)}`;

const referrer = (digit: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${digit.repeat(64)}`,
  size: 1,
  artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
  annotations: { "dev.sigstore.bundle.content": "dsse-envelope" },
});

async function withRegistry(
  body: (registry: FakeRegistry, client: RegistryClient) => Promise<void>,
): Promise<void> {
  const registry = await new FakeRegistry().start();
  const client = clientFor(`http://${registry.host}`);
  try {
    await body(registry, client);
  } finally {
    client.close();
    await registry.stop();
  }
}

function indexIn(registry: FakeRegistry) {
  const stored = registry.manifests.get(tag)!;
  assert.equal(stored.type, indexType);
  return JSON.parse(new TextDecoder().decode(stored.bytes));
}

function stored(value: unknown, mediaType = indexType) {
  return { bytes: new TextEncoder().encode(JSON.stringify(value)), mediaType };
}

Deno.test("without the API, a tag lists the referrers, with type and annotations, each once", () =>
  withRegistry(async (registry, client) => {
    const repository = new Repository(client, "a");
    assert.equal(await announce(repository, subject, referrer("1")), "tag");
    assert.equal(await announce(repository, subject, referrer("2")), "tag");
    registry.log.length = 0;
    assert.equal(await announce(repository, subject, referrer("1")), "tag");
    assert(!registry.log.some((line) => line.startsWith("PUT")), "a duplicate was written");
    assert.deepEqual(indexIn(registry), {
      schemaVersion: 2,
      mediaType: indexType,
      manifests: [referrer("1"), referrer("2")],
    });
  }));

Deno.test("unchanged text of other programs stays as it is", () => {
  const other = { digest: "sha256:ff", foreign: { x: [1.5, null] }, __proto__: null };
  const before = { schemaVersion: 2, manifests: [other], annotations: { a: "b" }, later: true };
  const after = withReferrers(stored(before), [referrer("1")], tag);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(after)), {
    schemaVersion: 2,
    mediaType: indexType,
    manifests: [{ digest: "sha256:ff", foreign: { x: [1.5, null] } }, referrer("1")],
    annotations: { a: "b" },
    later: true,
  });
});

Deno.test("a concurrent writer's change is not overwritten", () =>
  withRegistry(async (registry, client) => {
    registry.etags = true;
    const repository = new Repository(client, "a");
    await announce(repository, subject, referrer("1"));
    // Between our reading and writing, another one writes.
    registry.fault(/^GET .*\/manifests\//, (_, response) => {
      const { bytes, type } = registry.manifests.get(tag)!;
      response.writeHead(200, { "content-type": type, etag: '"stale"' }).end(bytes);
      const theirs = withReferrers({ bytes, mediaType: type }, [referrer("2")], tag)!;
      registry.manifests.set(tag, { bytes: theirs, type });
    }, 1);
    await announce(repository, subject, referrer("3"));
    assert.equal(registry.hits, 1);
    const listed = indexIn(registry).manifests.map((one: Descriptor) => one.digest[7]);
    assert.deepEqual(listed, ["1", "2", "3"]);
  }));

Deno.test("a tag that keeps changing ends the push", () =>
  withRegistry(async (registry, client) => {
    registry.fault(/^PUT /, (request, response) => {
      request.resume();
      response.writeHead(412).end();
    });
    await assert.rejects(announce(new Repository(client, "a"), subject, referrer("1")), {
      reason: "rejected",
      message: `The tag ${tag} was changed by others 5 times`,
    });
    assert.equal(registry.hits, 5);
  }));

for (
  const [what, thing] of [
    ["an image", stored({ manifests: [] }, "application/vnd.oci.image.manifest.v1+json")],
    ["no JSON", { bytes: new Uint8Array([0xff]), mediaType: indexType }],
    ["a list with a text that is not UTF-8", {
      bytes: Buffer.from('{"manifests":[{"digest":"\xff"}]}', "latin1"),
      mediaType: indexType,
    }],
    ["no list", stored({ manifests: {} })],
    ["a list of texts", stored({ manifests: ["x"] })],
    ["null", stored(null)],
  ] as const
) {
  Deno.test(`a tag that holds ${what} is not overwritten`, () => {
    assert.throws(
      () => withReferrers(thing, [referrer("1")], tag),
      (error) => error instanceof RemoteError && error.reason === "rejected",
    );
  });
}

Deno.test("a response that is not an index does not count as the referrers API", () =>
  withRegistry(async (registry, client) => {
    registry.fault(/^GET .*\/referrers\//, (_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>");
    });
    assert.equal(await announce(new Repository(client, "a"), subject, referrer("1")), "tag");
    assert.equal(registry.hits, 1);
  }));
