/**
 * The form of a bundle in a registry: an OCI image manifest whose layers are manifest.json and the
 * listed files, and a referrer for each signature. All are pure functions of the bundle, because
 * the digest of the OCI manifest is a subject of the attestation: it is signed before any registry
 * is known, so neither version nor tag may be part of it. Source: image-spec manifest.md and
 * descriptor.md 1.1, cosign specs/BUNDLE_SPEC.md.
 */
import { StellaError } from "../domain/errors.ts";
import { type Digest, sha256 } from "../domain/hash.ts";
import {
  type BundleFile,
  type Manifest,
  manifestName,
  mediaTypes,
  type Role,
} from "../bundle/manifest.ts";

export const ociTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  empty: "application/vnd.oci.empty.v1+json",
  bundle: "application/vnd.stella.bundle.v1",
  attestation: "application/vnd.dev.sigstore.bundle.v0.3+json",
  hmac: "application/vnd.stella.hmac.v1+json",
} as const;

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Size in bytes. */
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** An OCI manifest, byte for byte as sent, and its digest. */
export interface Artifact {
  bytes: Uint8Array;
  digest: Digest;
}

/**
 * The two bytes `{}` of an empty config; image-spec manifest.md, "Guidance for an Empty
 * Descriptor".
 */
export const emptyConfig = new TextEncoder().encode("{}");
const emptyDescriptor: Descriptor = {
  mediaType: ociTypes.empty,
  digest: digestOf(emptyConfig),
  size: emptyConfig.length,
};

const created = "org.opencontainers.image.created";
export const title = "org.opencontainers.image.title";

/**
 * The media type of a layer depends only on the file's role, never on its name or content; an
 * archive has its own.
 */
const roleTypes: Record<Exclude<Role, "archive">, string> = {
  document: "text/plain",
  index: "text/plain",
  program: "application/octet-stream",
  script: "application/x-sh",
};

/**
 * The OCI manifest of a bundle, without a line feed at the end. `manifestBytes` are the exact bytes
 * of manifest.json.
 * @throws StellaError usage for a bundle in directory layout, which has no OCI form
 */
export function bundleArtifact(manifest: Manifest, manifestBytes: Uint8Array): Artifact {
  if (manifest.payload.layout !== "archive") {
    throw new StellaError("layout_unsuitable", "Cannot push the bundle: its layout is directory", {
      hint: "export it with --layout archive",
    });
  }
  return encode({
    schemaVersion: 2,
    mediaType: ociTypes.manifest,
    artifactType: ociTypes.bundle,
    config: emptyDescriptor,
    layers: [manifestLayer(manifestBytes), ...manifest.files.map(fileLayer)],
    annotations: { [created]: manifest.created, [title]: manifest.profile },
  });
}

/**
 * The signatures of a bundle, each in its own referrer: the attestation by a key pair, and the HMAC
 * signature by a shared secret.
 */
export type Proof = "attestation" | "hmac";

/**
 * Both are in-toto statements with SLSA provenance; only the first is a sigstore bundle, which
 * other tools can find.
 */
const proofs: Record<Proof, { type: string; suffix: string; annotations: object }> = {
  attestation: {
    type: ociTypes.attestation,
    suffix: "sigstore.json",
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1",
    },
  },
  hmac: { type: ociTypes.hmac, suffix: "hmac.json", annotations: {} },
};

/** The referrer with a signature of `bundle`; `at` is the bundle's `created`. */
export function proofArtifact(
  proof: Proof,
  bundle: Artifact,
  bytes: Uint8Array,
  at: string,
): Artifact {
  const { type, suffix, annotations } = proofs[proof];
  const name = `${digestOf(bytes).replace(":", "-")}.${suffix}`;
  return encode({
    schemaVersion: 2,
    mediaType: ociTypes.manifest,
    artifactType: type,
    config: emptyDescriptor,
    layers: [layer(type, bytes, name)],
    subject: descriptorOf(bundle),
    annotations: { ...annotations, [created]: at },
  });
}

/**
 * The descriptor of `referrer` in a list of referrers: repeats its type and annotations
 * (distribution-spec, Referrers Tag Schema).
 */
export function referrerDescriptor(proof: Proof, referrer: Artifact, at: string): Descriptor {
  const { type, annotations } = proofs[proof];
  return {
    ...descriptorOf(referrer),
    artifactType: type,
    annotations: { ...annotations, [created]: at },
  };
}

/** The descriptor of `artifact`. */
export function descriptorOf(artifact: Artifact): Descriptor {
  return { mediaType: ociTypes.manifest, digest: artifact.digest, size: artifact.bytes.length };
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${sha256(bytes)}`;
}

function manifestLayer(bytes: Uint8Array): Descriptor {
  return layer(mediaTypes.manifest, bytes, manifestName);
}

function layer(mediaType: string, bytes: Uint8Array, name: string): Descriptor {
  return {
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    annotations: { [title]: name },
  };
}

function fileLayer(file: BundleFile): Descriptor {
  return {
    mediaType: file.role === "archive" ? archiveType(file) : roleTypes[file.role],
    digest: `sha256:${file.sha256}`,
    size: file.size,
    annotations: { [title]: file.path },
  };
}

function archiveType(file: BundleFile): string {
  if (file.mediaType !== undefined) return file.mediaType;
  throw new StellaError(
    "manifest_invalid",
    "Cannot describe the bundle: an archive has no mediaType",
  );
}

function encode(value: unknown): Artifact {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { bytes, digest: digestOf(bytes) };
}
