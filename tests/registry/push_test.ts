import assert from "node:assert/strict";
import { renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeManifest } from "../../src/bundle/manifest.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { bundleArtifact, proofArtifact } from "../../src/registry/artifact.ts";
import { pushBundle, type PushOptions } from "../../src/registry/push.ts";
import {
  attestation,
  clientFor,
  type FakeBundle,
  withBundle,
} from "../support/registry/fake_bundle.ts";
import { digestOf, FakeRegistry } from "../support/registry/fake_registry.ts";

/** A bundle, a registry, and a push of the one to the other. */
function pushTest(
  name: string,
  body: (
    registry: FakeRegistry,
    bundle: FakeBundle,
    push: (more?: Partial<PushOptions>) => ReturnType<typeof pushBundle>,
  ) => Promise<void>,
): void {
  Deno.test(name, () =>
    withBundle(async (bundle) => {
      const registry = await new FakeRegistry().start();
      const client = clientFor(`http://${registry.host}`);
      const repository = "exports/advisories";
      try {
        await body(registry, bundle, (more) =>
          pushBundle({ client, dir: bundle.dir, repository, tag: "v1", ...more }));
      } finally {
        client.close();
        await registry.stop();
      }
    }));
}

async function rejection(promise: Promise<unknown>): Promise<StellaError> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof StellaError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "the push was not refused" });
}

pushTest("a push stores every blob, both manifests and the tag", async (registry, bundle, push) => {
  const artifact = bundleArtifact(bundle.manifest, bundle.manifestBytes);
  const referrer = proofArtifact("attestation", artifact, attestation, bundle.manifest.created);
  const report = await push();
  assert.equal(report.digest, artifact.digest);
  assert.equal(report.attestationDigest, referrer.digest);
  assert.deepEqual([report.tag, report.uploaded, report.existed], ["v1", 6, 0]);
  assert.deepEqual(registry.blobs.get(digestOf(bundle.archive)), bundle.archive);
  assert.deepEqual(registry.blobs.get(digestOf(bundle.manifestBytes)), bundle.manifestBytes);
  assert.deepEqual(registry.manifests.get("v1")?.bytes, artifact.bytes);
  assert.deepEqual(registry.manifests.get(referrer.digest)?.bytes, referrer.bytes);
});

pushTest("blobs go first, the attestation before the tag", async (registry, _, push) => {
  const { digest, attestationDigest } = await push();
  const puts = registry.log.filter((line) => /^PUT .*\/manifests\//.test(line));
  assert.deepEqual(puts.map((line) => line.split("/manifests/")[1]), [
    digest,
    attestationDigest,
    digest.replace(":", "-"),
    "v1",
  ]);
  const lastBlob = registry.log.findLastIndex((line) => line.includes("/blobs/"));
  assert(lastBlob < registry.log.indexOf(puts[0]!), "a blob came after a manifest");
});

pushTest("connections are reused", async (registry, _, push) => {
  await push();
  assert(registry.log.length > 20, "too few requests to tell");
  assert(registry.connections <= 3, `${registry.connections} connections`);
});

pushTest("a second push sends no blob and no manifest but the tag", async (registry, _, push) => {
  const first = await push();
  registry.log.length = 0;
  const second = await push({ tag: "v2" });
  assert.deepEqual([second.digest, second.uploaded, second.existed], [first.digest, 0, 6]);
  const writes = registry.log.filter((line) => !/^(HEAD|GET) /.test(line));
  assert.deepEqual(writes, ["PUT /v2/exports/advisories/manifests/v2"]);
});

Deno.test("without a tag nothing is tagged but the referrers", () =>
  withBundle(async ({ dir }) => {
    const registry = await new FakeRegistry().start();
    const client = clientFor(`http://${registry.host}`);
    try {
      const report = await pushBundle({ client, dir, repository: "exports/advisories" });
      assert.equal(report.tag, undefined);
      const tags = [...registry.manifests.keys()].filter((name) => !name.startsWith("sha256:"));
      assert.deepEqual(tags, [report.digest.replace(":", "-")]);
    } finally {
      client.close();
      await registry.stop();
    }
  }));

pushTest("progress ends with all bytes", async (_, __, push) => {
  const seen: [number, number][] = [];
  const report = await push({ progress: (done, total) => seen.push([done, total]) });
  assert.deepEqual(seen.at(-1), [report.bytes, report.bytes]);
  assert(seen.every(([done], i) => i === 0 || done >= seen[i - 1]![0]), "progress fell back");
});

pushTest("referrers: a registry that lists them gets no tag", async (registry, _, push) => {
  registry.referrersApi = true;
  const report = await push();
  assert.equal(report.referrers, "api");
  assert.equal(registry.manifests.has(report.digest.replace(":", "-")), false);
});

pushTest(
  "a file that differs from the manifest is never finished",
  async (registry, bundle, push) => {
    const wrong = bundle.archive.map((byte, i) => i === 7 ? byte ^ 1 : byte);
    writeFileSync(join(bundle.dir, "advisories.tar"), wrong);
    const error = await rejection(push());
    assert.equal(error.kind, "differs");
    assert.match(error.message, /^Cannot push "advisories.tar": its sha256 is [0-9a-f]{64}, not /);
    assert.equal(registry.blobs.has(digestOf(wrong)), false);
    assert(!registry.log.some((line) => /^PUT .*\/manifests\//.test(line)), "a manifest was put");
  },
);

pushTest(
  "only the registry checks the digests of a bundle that is verified during the push",
  async (registry, bundle, push) => {
    const wrong = bundle.archive.map((byte, i) => i === 7 ? byte ^ 1 : byte);
    writeFileSync(join(bundle.dir, "advisories.tar"), wrong);
    const error = await rejection(push({ approved: approval(bundle) }));
    assert.equal(error.kind, "remote");
    assert.match(error.message, /400 DIGEST_INVALID/);
    assert(!registry.log.some((line) => /^PUT .*\/manifests\//.test(line)), "a manifest was put");
  },
);

/** What verification says in the end. */
function approval({ manifestBytes }: FakeBundle): Promise<string> {
  return Promise.resolve(digestOf(manifestBytes).slice("sha256:".length));
}

pushTest(
  "no manifest is sent until the bundle is verified",
  async (registry, bundle, push) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const sent = Promise.withResolvers<void>();
    const progress = (done: number, total: number) => void (done === total && sent.resolve());
    const pushed = push({ approved: promise, progress });
    await sent.promise;
    // Time in which the manifest could be sent.
    await new Promise((done) => setTimeout(done, 50));
    assert.deepEqual([registry.blobs.size, registry.manifests.size], [6, 0]);
    resolve(await approval(bundle));
    await pushed;
    assert(registry.manifests.has("v1"));
  },
);

pushTest(
  "no manifest is sent for a bundle that fails verification or was replaced",
  async (registry, _, push) => {
    const refused = Promise.reject(new StellaError("entry_unexpected", "refused"));
    refused.catch(() => {});
    assert.equal((await rejection(push({ approved: refused }))).kind, "unexpected");
    const error = await rejection(push({ approved: Promise.resolve("0".repeat(64)) }));
    assert.equal(error.kind, "differs");
    assert.match(error.message, /its manifest\.json has changed$/);
    assert.deepEqual([registry.blobs.size, registry.manifests.size], [6, 0]);
  },
);

const refusals: [string, (bundle: FakeBundle) => void, string, RegExp][] = [
  [
    "a missing attestation",
    ({ dir }) => rmSync(join(dir, "manifest.json.sigstore.json")),
    "untrusted",
    /there is no manifest\.json\.sigstore\.json$/,
  ],
  [
    "a missing manifest",
    ({ dir }) => rmSync(join(dir, "manifest.json")),
    "manifest",
    /there is no manifest\.json$/,
  ],
  [
    "a missing file",
    ({ dir }) => rmSync(join(dir, "VERIFY.txt")),
    "missing",
    /"VERIFY\.txt": not found$/,
  ],
  [
    "a shorter file",
    ({ dir }) => truncateSync(join(dir, "advisories.tar"), 10),
    "differs",
    /it has 10 bytes, not 3072$/,
  ],
  [
    "a link",
    ({ dir }) => {
      renameSync(join(dir, "VERIFY.txt"), join(dir, "other"));
      symlinkSync("other", join(dir, "VERIFY.txt"));
    },
    "unsafe",
    /it is a symbolic link$/,
  ],
  [
    "a manifest in another encoding",
    ({ dir, manifest }) =>
      writeFileSync(join(dir, "manifest.json"), JSON.stringify(manifest, null, 1)),
    "manifest",
    /its bytes are not in the one encoding/,
  ],
  [
    "a directory bundle",
    ({ dir, manifest }) => {
      const files = manifest.files.filter((file) => file.role !== "archive");
      const payload = { ...manifest.payload, layout: "directory" as const };
      writeFileSync(join(dir, "manifest.json"), encodeManifest({ ...manifest, payload, files }));
    },
    "usage",
    /its layout is directory$/,
  ],
];

for (const [what, damage, code, message] of refusals) {
  pushTest(`a push refuses ${what}`, async (registry, bundle, push) => {
    damage(bundle);
    const error = await rejection(push());
    assert.equal(error.kind, code);
    assert.match(error.message, message);
    assert.equal(registry.manifests.size, 0);
  });
}

pushTest("invalid names are refused together, before any request", async (registry, _, push) => {
  const error = await rejection(push({ repository: "Exports", tag: "2026:01" }));
  assert.equal(error.kind, "usage");
  assert.match(error.message, /the repository "Exports" is not allowed; the tag "2026:01"/);
  assert.deepEqual(registry.log, []);
});

pushTest("an aborted push ends as interrupted", async (registry, _, push) => {
  const stop = new AbortController();
  registry.fault(/^POST /, () => stop.abort(), 1);
  const error = await rejection(push({ signal: stop.signal }));
  assert.equal(registry.hits, 1);
  assert.equal(error.kind, "interrupted");
});

pushTest("a push that was aborted before its start sends no request", async (registry, _, push) => {
  const error = await rejection(push({ signal: AbortSignal.abort() }));
  assert.equal(error.kind, "interrupted");
  assert.deepEqual(registry.log, []);
});
