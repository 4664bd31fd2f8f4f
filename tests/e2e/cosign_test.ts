/**
 * cosign accepts stella's attestations: the file beside the manifest, and the referrer in a
 * registry. Debian has no package of it (peers.ts); without it the tests are skipped, and their
 * names say so.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, type Ran } from "../support/program.ts";
import { Authority } from "../support/registry/authority.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import { requiring } from "../support/needs.ts";
import { havePeers, peer } from "./peers.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";

const cosign = peer("cosign");

/** The exact flags of src/docs/registries.md: offline, without a transparency log. */
const offline = ["--type", "slsaprovenance1", "--insecure-ignore-tlog"];

/** cosign's error messages, so that a refusal for another reason fails the test. */
const otherKey = /accepted signatures do not match threshold, Found: 0/;
const otherManifest = /artifact digest does not match any digest in statement/;

/** With a home of its own, so that no cached trust root is used. */
async function run(home: Home, args: string[], more: Record<string, string> = {}): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(cosign!, {
    args,
    cwd: home.path,
    env: { HOME: home.path, PATH: "/usr/bin:/bin", ...more },
    clearEnv: true,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

interface Scene {
  home: Home;
  /** Verifies the file `manifest` against the attestation of the bundle in out/. */
  blob(manifest: string, key?: string): Promise<Ran>;
}

/** A bundle in out/, signed by `signer.key`; `other.pub` belongs to another key. */
function cosignTest(name: string, tools: string[], body: (scene: Scene) => Promise<void>): void {
  for (const algorithm of ["ed25519", "p256"]) {
    const needs = { tools, others: havePeers("cosign") };
    Deno.test(requiring(needs, `cosign, ${algorithm}: ${name}`, () => withSigned(algorithm, body)));
  }
}

async function withSigned(
  algorithm: string,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const home = new Home();
  try {
    for (const name of ["signer", "other"]) {
      await home.succeed(["keys", "generate", "--algorithm", algorithm, "--out", `${name}.key`]);
    }
    const args = ["--key", "signer.key", "--manifest", "out/manifest.json"];
    await home.succeed(["export", "bundle", "--profile", "kit", ...args]);
    const bundle = ["--bundle", "out/manifest.json.sigstore.json"];
    await body({
      home,
      blob: (manifest, key = "signer.pub") =>
        run(home, ["verify-blob-attestation", "--key", key, ...bundle, ...offline, manifest]),
    });
  } finally {
    home.remove();
  }
}

cosignTest(
  "the attestation file is accepted for this manifest and this key only",
  [],
  async ({ home, blob }) => {
    const right = await blob("out/manifest.json");
    assert.equal(right.code, 0, right.stderr);
    assert.match(right.stderr, /Verified OK/);
    const stranger = await blob("out/manifest.json", "other.pub");
    assert.notEqual(stranger.code, 0);
    assert.match(stranger.stderr, otherKey);
    const bytes = readFileSync(join(home.path, "out/manifest.json"));
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(join(home.path, "changed.json"), bytes);
    const changed = await blob("changed.json");
    assert.notEqual(changed.code, 0);
    assert.match(changed.stderr, otherManifest);
  },
);

cosignTest(
  "the referrer in a registry is accepted for the pushed manifest only",
  ["docker-registry", "openssl"],
  ({ home }) =>
    withTlsRegistry(async (host, ca) => {
      const reference = `${host}/exports/kit`;
      const push = ["export", "bundle", "push", "--manifest", "out", `oci://${reference}:v1`];
      const { pushed } = await home.json([...push, "--trust", "signer.pub", "--ca", ca]);
      const verify = (digest: string, key = "signer.pub") => {
        const args = ["verify-attestation", "--key", key, ...offline, `${reference}@${digest}`];
        return run(home, args, { SSL_CERT_FILE: ca });
      };
      const right = await verify(pushed.digest);
      assert.equal(right.code, 0, right.stderr);
      assert.match(right.stdout, /"payload"/);
      const stranger = await verify(pushed.digest, "other.pub");
      assert.notEqual(stranger.code, 0);
      assert.match(stranger.stderr, otherKey);
      const changed = await verify(await forge(host, ca, pushed.digest));
      assert.notEqual(changed.code, 0, "a manifest that nobody signed was accepted");
      assert.match(changed.stderr, otherManifest);
    }),
);

/** docker-registry with a certificate of the authority in the file `ca`. */
async function withTlsRegistry(body: (host: string, ca: string) => Promise<void>): Promise<void> {
  const authority = new Authority();
  try {
    const [certificate, key] = ["server.pem", "server.key"].map((name) =>
      join(authority.dir, name)
    );
    const issued = authority.issue("IP:127.0.0.1", 2);
    writeFileSync(certificate!, issued.cert);
    writeFileSync(key!, issued.key);
    const http = `, tls: {certificate: ${certificate}, key: ${key}}`;
    await withDockerRegistry(({ host }) => body(host, authority.path), { http });
  } finally {
    authority.remove();
  }
}

/**
 * Pushes a changed manifest beside the right one, with the same attestation referring to it.
 * @returns its digest
 */
async function forge(host: string, ca: string, digest: string): Promise<string> {
  using client = Deno.createHttpClient({ caCerts: [readFileSync(ca, "utf8")] });
  const url = (reference: string) => `https://${host}/v2/exports/kit/manifests/${reference}`;
  const fetched = async (reference: string, accept: string) =>
    await (await fetch(url(reference), { client, headers: { accept } })).text();
  const put = async (reference: string, type: string, text: string) => {
    const headers = { "content-type": type };
    const answer = await fetch(url(reference), { client, method: "PUT", headers, body: text });
    await answer.body?.cancel();
    assert.equal(answer.status, 201);
  };
  const right = await fetched(digest, manifestType);
  const changed = right.replace('"org.opencontainers.image.title":"kit"', '"x.title":"kit"');
  assert.notEqual(changed, right);
  const hex = createHash("sha256").update(changed).digest("hex");
  await put(`sha256:${hex}`, manifestType, changed);
  const indexType = "application/vnd.oci.image.index.v1+json";
  await put(`sha256-${hex}`, indexType, await fetched(digest.replace(":", "-"), indexType));
  return `sha256:${hex}`;
}
