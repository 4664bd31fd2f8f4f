/**
 * Bundles verified in place in a registry, and the verdict if the registry is faulty or hostile.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attestationName, manifestName } from "../../src/bundle/manifest.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { pushBundle, type PushReport } from "../../src/registry/push.ts";
import { parseEndpoint } from "../../src/domain/reference.ts";
import { type Choice, RegistryBundle } from "../../src/registry/source.ts";
import { Transport } from "../../src/net/transport.ts";
import { type MadeBundle, makeBundle, testKey, writeFiles } from "../support/bundle_fixture.ts";
import { type Outcome, outcomeOf } from "../support/outcome.ts";
import { FakeTiming } from "../support/registry/fake_bundle.ts";
import { digestOf, FakeRegistry, type Handler } from "../support/registry/fake_registry.ts";
import { half, reset, status } from "../support/registry/corrupted.ts";

const part = 2 << 20;
const emptyType = "application/vnd.oci.empty.v1+json";

/** Six MiB, so that the archive comes in several parts. */
const entries = Array.from({ length: 6 }, (_, i) => ({
  path: `f${i}`,
  content: Buffer.alloc(1 << 20, i + 1),
}));
const made: MadeBundle = makeBundle({ entries, compression: "none" });
const archive = made.manifest.files.find((file) => file.role === "archive")!;
const blob = new RegExp(`^GET .*/blobs/sha256:${archive.sha256}$`);

interface Scene {
  registry: FakeRegistry;
  pushed: PushReport;
  bundle(choose?: Choice, reference?: object): RegistryBundle;
  verify(choose?: Choice): Promise<Outcome>;
}

function sourceTest(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    const dir = mkdtempSync(join(tmpdir(), "stella-source-"));
    const registry = await new FakeRegistry().start();
    const endpoint = parseEndpoint(`http://${registry.host}`);
    const transport = new Transport({ authorities: [], policy: () => {} });
    const client = new RegistryClient({ endpoint, transport, timing: new FakeTiming(), part });
    const repository = "exports/a";
    const bundle = (choose: Choice = () => 0, reference: object = { tag: "v1" }) =>
      new RegistryBundle(client, { authority: registry.host, repository, ...reference }, choose);
    try {
      writeFiles(dir, made.files);
      const pushed = await pushBundle({ client, dir, repository, tag: "v1" });
      registry.log.length = 0;
      const verify = (choose?: Choice) => outcomeOf(bundle(choose), [made.key.trusted]);
      await body({ registry, pushed, bundle, verify });
    } finally {
      client.close();
      await registry.stop();
      rmSync(dir, { recursive: true });
    }
  });
}

const bytesRead = ({ registry }: Scene) => registry.log.filter((line) => blob.test(line)).length;

for (const api of [false, true]) {
  sourceTest(
    `a bundle is verified in place, its attestation by ${api ? "API" : "tag"}`,
    async (scene) => {
      const { registry, bundle, pushed } = scene;
      registry.referrersApi = api;
      const source = bundle();
      const { code, findings } = await outcomeOf(source, [made.key.trusted]);
      assert.deepEqual([code, findings], [0, []]);
      assert.equal(await source.check(), undefined);
      assert.equal(await source.digest(), pushed.digest);
      assert.equal(bytesRead(scene), Math.ceil(archive.size / part));
      assert(registry.log.every((line) => line.startsWith("GET ")), "something was written");
    },
  );
}

sourceTest(
  "a bundle is verified in place by digest, and from a registry without range requests",
  async ({ registry, bundle, pushed }) => {
    registry.ranges = false;
    const source = bundle(undefined, { digest: pushed.digest });
    const { code } = await outcomeOf(source, [made.key.trusted]);
    assert.equal(code, 0);
  },
);

/** Sends a part as it should be, but only so many bytes of it. */
function cutPart(bytes: number): Handler {
  const all = made.files.get(archive.path)!;
  return (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!.map(Number);
    const part = all.subarray(from, to! + 1);
    response.writeHead(206, {
      "content-length": part.length,
      "content-range": `bytes ${from}-${from! + part.length - 1}/${all.length}`,
    });
    response.write(part.subarray(0, bytes), () => response.destroy());
  };
}

sourceTest("truncated parts are resumed at their offset", async (scene) => {
  const { registry, verify } = scene;
  registry.fault(blob, cutPart(1_000_000), 3);
  assert.equal((await verify()).code, 0);
  assert.equal(registry.hits, 3);
});

sourceTest(
  "a blob that changes its length while it is read is an error",
  async ({ registry, verify }) => {
    registry.fault(blob, half("reset"), 1);
    const { code, findings } = await verify();
    assert.equal(code, 13);
    assert.match(findings[0]!, /changed while it was read$/);
    assert.equal(registry.hits, 1);
  },
);

sourceTest("a reader that stops makes no more requests", async ({ registry, bundle }) => {
  const reader = await bundle().open(archive.path);
  const begun = Promise.withResolvers<void>();
  registry.fault(blob, () => begun.resolve());
  await reader!.read(new Uint8Array(10));
  await begun.promise;
  const asked = registry.log.length;
  reader!.close();
  // Time in which it could ask for more.
  await new Promise((done) => setTimeout(done, 100));
  assert.equal(registry.log.length, asked);
});

sourceTest("requests to a busy registry are retried", async ({ registry, verify }) => {
  registry.fault(blob, reset, 2);
  registry.fault(blob, status(503), 2);
  assert.equal((await verify()).code, 0);
  assert.equal(registry.hits, 4);
});

sourceTest(
  "a permanent registry failure is not a finding about the bundle",
  async ({ registry, verify }) => {
    registry.fault(blob, status(500));
    const { code, findings } = await verify();
    assert.equal(code, 13);
    assert.match(findings[0]!, /^thrown Cannot read from "oci:.*": GET .*: 500 .*\(5 attempts\)$/);
  },
);

sourceTest("an invalid redirect is not followed", async ({ registry, verify }) => {
  for (
    const [location, message] of [
      ["http://registry.site/", /: 307 .*$/],
      ["ftp://127.0.0.1/", /: 307 .*$/],
      ["//me:pw@127.0.0.1/", /: 307 .*$/],
      ["http://", /: 307 .*$/],
      ["http://127.0.0.1:1/", /127\.0\.0\.1:1\/: 127\.0\.0\.1:1 refused the connection/],
    ] as const
  ) {
    registry.hits = 0;
    registry.fault(blob, status(307, { location }), location.includes(":1/") ? 5 : 1);
    const { code, findings } = await verify();
    assert.equal(code, 13, location);
    assert.match(findings[0]!, message);
  }
});

sourceTest("content that differs from its digest is reported", async ({ registry, verify }) => {
  const bytes = Buffer.from(made.files.get(archive.path)!);
  bytes[3 << 20]! ^= 1;
  registry.blobs.set(`sha256:${archive.sha256}`, bytes);
  const { code, findings } = await verify();
  assert.equal(code, 7);
  assert(findings.includes(`7 digest_mismatch ${archive.path}`), findings.join("; "));
});

sourceTest("a missing blob is reported as a missing file", async ({ registry, verify }) => {
  const index = made.manifest.files.find((file) => file.role === "index")!;
  registry.blobs.delete(`sha256:${index.sha256}`);
  const { code, findings } = await verify();
  assert.equal(code, 6);
  assert(findings.includes(`6 file_missing ${index.path}`), findings.join("; "));
});

sourceTest("a shorter blob is reported as truncated", async ({ registry, verify }) => {
  const bytes = made.files.get(archive.path)!;
  registry.blobs.set(`sha256:${archive.sha256}`, bytes.subarray(0, bytes.length - 512));
  const { findings } = await verify();
  assert(findings.includes(`10 truncated ${archive.path}`), findings.join("; "));
});

sourceTest(
  "a bundle without an attestation is not trusted",
  async ({ registry, pushed, verify }) => {
    registry.manifests.delete(pushed.digest.replace(":", "-"));
    const { code, findings } = await verify();
    assert.deepEqual([code, findings], [5, [`5 attestation_missing ${attestationName}`]]);
  },
);

for (const [what, type] of [["nothing", undefined], ["the type of the config", emptyType]]) {
  sourceTest(`an attestation of which the list says ${what} is found`, async (scene) => {
    scene.registry.referrersApi = true;
    scene.registry.listedType = () => type;
    scene.registry.manifests.delete(scene.pushed.digest.replace(":", "-"));
    const { code, findings } = await scene.verify();
    assert.deepEqual([code, findings], [0, []]);
  });
}

sourceTest("referrers declared as attestations are tried before undeclared ones", async (scene) => {
  const { registry, pushed, verify } = scene;
  const tag = registry.manifests.get(pushed.digest.replace(":", "-"))!;
  const index = JSON.parse(new TextDecoder().decode(tag.bytes));
  const [own] = index.manifests;
  const other = { mediaType: own.mediaType, digest: `sha256:${"a".repeat(64)}`, size: 1 };
  index.manifests = [...Array(20).fill(other), own];
  tag.bytes = new TextEncoder().encode(JSON.stringify(index));
  assert.equal((await verify()).code, 0);
});

/**
 * Attaches what anybody with the right to write could: a manifest that refers to the bundle, with
 * this blob.
 */
function attach({ registry, pushed }: Scene, bytes: Uint8Array, at: "start" | "end"): void {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const type = "application/vnd.oci.image.manifest.v1+json";
  const artifactType = "application/vnd.dev.sigstore.bundle.v0.3+json";
  const layer = { mediaType: artifactType, digest: digestOf(bytes), size: bytes.length };
  const subject = { mediaType: type, digest: pushed.digest, size: 1 };
  const manifest = encode({ schemaVersion: 2, artifactType, layers: [layer], subject });
  registry.blobs.set(layer.digest, bytes);
  registry.manifests.set(digestOf(manifest), { bytes: manifest, type });
  const tag = registry.manifests.get(pushed.digest.replace(":", "-"))!;
  const index = JSON.parse(new TextDecoder().decode(tag.bytes));
  const one = { mediaType: type, artifactType, digest: digestOf(manifest), size: manifest.length };
  index.manifests[at === "start" ? "unshift" : "push"](one);
  tag.bytes = encode(index);
}

sourceTest("the caller selects one of several attestations by content", async (scene) => {
  const stranger = makeBundle({ entries, compression: "none", key: testKey("stranger") });
  attach(scene, stranger.files.get(attestationName)!, "start");
  attach(scene, new TextEncoder().encode("{}"), "end");
  const own = Buffer.from(made.files.get(attestationName)!);
  const seen: number[] = [];
  const { code } = await scene.verify((candidates, manifest) => {
    seen.push(candidates.length);
    assert.deepEqual(Buffer.from(manifest), Buffer.from(made.files.get(manifestName)!));
    return candidates.findIndex((one) => own.equals(one));
  });
  assert.deepEqual([code, seen], [0, [3]]);
  assert.equal((await scene.verify(() => 0)).code, 5, "the first is a stranger's");
});

sourceTest(
  "an OCI manifest that is not the bundle's own is a finding",
  async ({ registry, bundle }) => {
    const stored = registry.manifests.get("v1")!;
    const changed = JSON.parse(new TextDecoder().decode(stored.bytes));
    changed.annotations["org.opencontainers.image.title"] = "other";
    const bytes = new TextEncoder().encode(JSON.stringify(changed));
    registry.manifests.set("v1", { ...stored, bytes });
    const finding = await bundle().check();
    assert.deepEqual([finding?.kind, finding?.reason, finding?.found], [
      "differs",
      "registry_manifest_differs",
      digestOf(bytes),
    ]);
  },
);

const layer = (name?: string) => ({
  mediaType: "x",
  digest: `sha256:${"a".repeat(64)}`,
  size: 1,
  ...(name === undefined ? {} : { annotations: { "org.opencontainers.image.title": name } }),
});
const artifactType = "application/vnd.stella.bundle.v1";
const others: [string, unknown, RegExp][] = [
  ["an image", { layers: [] }, /it is not a bundle of stella$/],
  ["a layer without a name", { artifactType, layers: [layer()] }, /no unique names$/],
  ["two of a name", { artifactType, layers: [layer("a"), layer("a")] }, /no unique names$/],
  ["no layers", { artifactType }, /not in the form of the image-spec$/],
  ["a path for a digest", { artifactType, layers: [{ ...layer("a"), digest: "../x" }] }, /form of/],
  ["no object", [], /its manifest is not JSON$/],
];

for (const [what, value, message] of others) {
  sourceTest(`refused: ${what}`, async ({ registry, bundle }) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    registry.manifests.set("v1", { bytes, type: "application/vnd.oci.image.manifest.v1+json" });
    await assert.rejects(bundle().open(manifestName), (error) => {
      assert(error instanceof StellaError && error.kind === "manifest", String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

sourceTest("a missing bundle is reported as not found", async ({ bundle }) => {
  const absent = bundle(undefined, { tag: "v2" });
  await assert.rejects(absent.open(manifestName), {
    kind: "manifest",
    message: /not found$/,
  });
  assert.throws(() => bundle(undefined, { tag: undefined }), /it has no tag and no digest$/);
});

sourceTest("a manifest with another digest than the one asked for is refused", async (scene) => {
  const { registry, bundle, pushed } = scene;
  const stored = registry.manifests.get(pushed.digest)!;
  registry.fault(/^GET .*\/manifests\/sha256:/, (_, response) => {
    response.writeHead(200, { "content-type": stored.type }).end("{}");
  });
  const source = bundle(undefined, { digest: pushed.digest });
  await assert.rejects(source.open(manifestName), { kind: "remote", reason: "digest_mismatch" });
});

/** The registry's own list, one referrer a page, the attestation on the last of three. */
function paged(scene: Scene): void {
  const { registry, pushed } = scene;
  for (const text of ["{}", "[]"]) attach(scene, new TextEncoder().encode(text), "start");
  registry.manifests.delete(pushed.digest.replace(":", "-"));
  const own = registry.manifests.get(pushed.attestationDigest)!;
  registry.manifests.delete(pushed.attestationDigest);
  registry.manifests.set(pushed.attestationDigest, own);
  [registry.referrersApi, registry.pageSize] = [true, 1];
}

const pages = ({ registry }: Scene) =>
  registry.log.filter((line) => line.includes("/referrers/")).length;

sourceTest("an attestation on a later page of the registry's list is found", async (scene) => {
  paged(scene);
  const own = Buffer.from(made.files.get(attestationName)!);
  const choose: Choice = (candidates) => candidates.findIndex((one) => own.equals(one));
  const { code, findings } = await scene.verify(choose);
  assert.deepEqual([code, findings, pages(scene)], [0, [], 3]);
});

sourceTest("a next page at another origin is not requested", async (scene) => {
  paged(scene);
  scene.registry.pageOrigin = "http://127.0.0.1:1";
  assert.notEqual((await scene.verify()).code, 0);
  assert.equal(pages(scene), 1);
});

sourceTest("an endless list of referrers is an error", async (scene) => {
  const { registry } = scene;
  registry.manifests.delete(scene.pushed.digest.replace(":", "-"));
  registry.fault(/^GET .*\/referrers\//, (_, response) => {
    const type = "application/vnd.oci.image.index.v1+json";
    response.writeHead(200, { "content-type": type, link: '<?more>; rel="next"' });
    response.end('{"manifests":[]}');
  });
  assert.equal((await scene.verify()).code, 5);
  assert.equal(registry.hits % 16, 0, `${registry.hits} pages`);
});
