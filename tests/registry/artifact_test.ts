import assert from "node:assert/strict";
import { type BundleFile, encodeManifest } from "../../src/bundle/manifest.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { bundleArtifact, digestOf, proofArtifact } from "../../src/registry/artifact.ts";
import { manifestOf } from "../support/registry/fake_bundle.ts";

const a64 = "a".repeat(64);
const b64 = "b".repeat(64);
const files: BundleFile[] = [
  { path: "SHA256SUMS", role: "index", size: 1, sha256: a64 },
  { path: "VERIFY.txt", role: "document", size: 2, sha256: a64 },
  {
    path: "advisories.tar.zst.001",
    role: "archive",
    mediaType: "application/vnd.stella.bundle.archive.v1.tar+zstd",
    size: 3,
    sha256: b64,
    uncompressedSize: 1024,
    chunkSize: 4194304,
    chunks: [{ size: 3, sha256: b64 }],
    volume: { index: 1, of: 1 },
  },
  { path: "stella", role: "program", executable: true, size: 4, sha256: a64 },
  { path: "verify.sh", role: "script", executable: true, size: 5, sha256: a64 },
];
const manifest = manifestOf(files);
const bytes = encodeManifest(manifest);

// The digest of these bytes is signed: a change here breaks every attestation that was ever made.
const empty =
  '{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}';
const layer = (type: string, hex: string, size: number, title: string) =>
  `{"mediaType":"${type}","digest":"sha256:${hex}","size":${size},"annotations":{"org.opencontainers.image.title":"${title}"}}`;
const golden =
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.stella.bundle.v1",' +
  `"config":${empty},"layers":[` + [
    layer(
      "application/vnd.stella.bundle.manifest.v1+json",
      digestOf(bytes).slice(7),
      bytes.length,
      "manifest.json",
    ),
    layer("text/plain", a64, 1, "SHA256SUMS"),
    layer("text/plain", a64, 2, "VERIFY.txt"),
    layer(
      "application/vnd.stella.bundle.archive.v1.tar+zstd",
      b64,
      3,
      "advisories.tar.zst.001",
    ),
    layer("application/octet-stream", a64, 4, "stella"),
    layer("application/x-sh", a64, 5, "verify.sh"),
  ].join(",") +
  '],"annotations":{"org.opencontainers.image.created":"2026-01-01T00:00:00Z","org.opencontainers.image.title":"advisories"}}';

Deno.test("the OCI manifest of a bundle has exactly these bytes", () => {
  const artifact = bundleArtifact(manifest, bytes);
  assert.equal(new TextDecoder().decode(artifact.bytes), golden);
  assert.equal(artifact.digest, digestOf(artifact.bytes));
});

Deno.test("the digest of the golden bundle never changes", () => {
  assert.equal(
    bundleArtifact(manifest, bytes).digest,
    "sha256:bc2641398e3371c19a39cf364f112ea94800946cb62805134b9953b73d3dafda",
  );
});

Deno.test("neither the key order of the manifest object nor the tenant changes the OCI manifest's shape", () => {
  const shuffled = Object.fromEntries(Object.entries(manifest).reverse()) as typeof manifest;
  assert.deepEqual(bundleArtifact(shuffled, bytes), bundleArtifact(manifest, bytes));
});

Deno.test("the attestation is a referrer in cosign's form", () => {
  const bundle = bundleArtifact(manifest, bytes);
  const attestation = new TextEncoder().encode("{}\n");
  const hex = digestOf(attestation).slice(7);
  const artifact = proofArtifact("attestation", bundle, attestation, manifest.created);
  assert.equal(
    new TextDecoder().decode(artifact.bytes),
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json",' +
      `"config":${empty},"layers":[${
        layer(
          "application/vnd.dev.sigstore.bundle.v0.3+json",
          hex,
          3,
          `sha256-${hex}.sigstore.json`,
        )
      }],` +
      `"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"${bundle.digest}","size":${bundle.bytes.length}},` +
      '"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://slsa.dev/provenance/v1","org.opencontainers.image.created":"2026-01-01T00:00:00Z"}}',
  );
});

Deno.test("the HMAC signature is a referrer of its own type, distinct from a Sigstore bundle", () => {
  const hmac = proofArtifact("hmac", bundleArtifact(manifest, bytes), bytes, manifest.created);
  const { artifactType, annotations } = JSON.parse(new TextDecoder().decode(hmac.bytes));
  assert.equal(artifactType, "application/vnd.stella.hmac.v1+json");
  assert.deepEqual(annotations, { "org.opencontainers.image.created": manifest.created });
});

Deno.test("a directory bundle has no OCI manifest", () => {
  const payload = { ...manifest.payload, layout: "directory" as const };
  assert.throws(
    () => bundleArtifact({ ...manifest, payload }, bytes),
    (error) => error instanceof StellaError && error.kind === "usage",
  );
});
