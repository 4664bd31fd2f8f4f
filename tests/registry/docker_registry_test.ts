/**
 * Against Debian's docker-registry, which has no referrers API, and with skopeo as an independent
 * reader.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bundleArtifact, digestOf } from "../../src/registry/artifact.ts";
import type { RegistryClient } from "../../src/registry/client.ts";
import { pushBundle } from "../../src/registry/push.ts";
import { systemTiming } from "../support/timing.ts";
import { requiring, tool } from "../support/needs.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import {
  attestation,
  clientFor,
  type FakeBundle,
  withBundle,
} from "../support/registry/fake_bundle.ts";

/** Runs `body` with a running docker-registry, a bundle and an empty directory. */
function withDocker(
  body: (client: RegistryClient, bundle: FakeBundle, out: string) => Promise<void>,
): Promise<void> {
  return withDockerRegistry(async ({ host, dir }) => {
    const client = clientFor(`http://${host}`, { timing: systemTiming });
    mkdirSync(join(dir, "out"));
    try {
      await withBundle((bundle) => body(client, bundle, join(dir, "out")), 5_000_192);
    } finally {
      client.close();
    }
  });
}

function skopeo(...args: string[]): Uint8Array {
  return execFileSync(tool("skopeo")!, args, {
    timeout: 30_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

Deno.test(requiring(
  ["docker-registry", "skopeo"],
  "docker-registry takes a bundle and skopeo reads it back byte for byte",
  () =>
    withDocker(async (client, bundle, out) => {
      const artifact = bundleArtifact(bundle.manifest, bundle.manifestBytes);
      const report = await pushBundle({
        client,
        dir: bundle.dir,
        repository: "exports/a",
        tag: "v1",
      });
      assert.deepEqual([report.digest, report.referrers], [artifact.digest, "tag"]);
      const image = `docker://${client.host}/exports/a`;
      const raw = skopeo("inspect", "--raw", "--tls-verify=false", `${image}:v1`);
      assert.deepEqual(new Uint8Array(raw), artifact.bytes);
      skopeo("copy", "--src-tls-verify=false", `${image}@${report.digest}`, `dir:${out}`);
      assert.deepEqual(new Uint8Array(readFileSync(join(out, "manifest.json"))), artifact.bytes);
      const expected = [bundle.archive, bundle.manifestBytes].map((bytes) =>
        digestOf(bytes).slice(7)
      );
      for (const hex of expected) assert(readdirSync(out).includes(hex), `${hex} was not copied`);
      assert.deepEqual(new Uint8Array(readFileSync(join(out, expected[0]!))), bundle.archive);
    }),
));

Deno.test(requiring(
  ["docker-registry", "skopeo"],
  "docker-registry: the attestation is found by the tag of the digest",
  () =>
    withDocker(async (client, bundle, out) => {
      const report = await pushBundle({ client, dir: bundle.dir, repository: "exports/a" });
      const image = `docker://${client.host}/exports/a`;
      const tag = report.digest.replace(":", "-");
      const index = JSON.parse(
        String(skopeo("inspect", "--raw", "--tls-verify=false", `${image}:${tag}`)),
      );
      assert.equal(index.manifests.length, 1);
      const [found] = index.manifests;
      assert.equal(found.digest, report.attestationDigest);
      assert.equal(found.artifactType, "application/vnd.dev.sigstore.bundle.v0.3+json");
      assert.equal(found.annotations["dev.sigstore.bundle.content"], "dsse-envelope");
      skopeo("copy", "--src-tls-verify=false", `${image}@${found.digest}`, `dir:${out}`);
      const referrer = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
      assert.equal(referrer.subject.digest, report.digest);
      const hex = digestOf(attestation).slice(7);
      assert.deepEqual(new Uint8Array(readFileSync(join(out, hex))), attestation);
    }),
));

Deno.test(requiring(
  ["docker-registry", "skopeo"],
  "docker-registry: a second push sends nothing",
  () =>
    withDocker(async (client, bundle) => {
      const options = { client, dir: bundle.dir, repository: "exports/a", tag: "v1" };
      const first = await pushBundle(options);
      const second = await pushBundle(options);
      assert.deepEqual([first.uploaded, first.existed], [6, 0]);
      assert.deepEqual([second.uploaded, second.existed], [0, 6]);
      assert.equal(second.digest, first.digest);
    }),
));
