/**
 * The form of a bundle in a registry: an OCI image manifest whose layers are manifest.json and the
 * listed files, and a referrer for each signature. A pure function of the bundle: its digest is
 * signed before any registry is known, so neither version nor tag may be part of it. Source:
 * image-spec manifest.md and descriptor.md 1.1, cosign specs/BUNDLE_SPEC.md.
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
  attestation: mediaTypes.attestation,
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

/** A manifest or index as it is sent. */
export interface Artifact {
  bytes: Uint8Array;
  digest: Digest;
  /** Default: an OCI manifest. */
  mediaType?: string;
}

/** What a registry may answer a request for a manifest with. */
export const manifestTypes: readonly string[] = [
  ociTypes.manifest,
  ociTypes.index,
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

/** image-spec manifest.md, "Guidance for an Empty Descriptor". */
export const emptyConfig = new TextEncoder().encode("{}");
const emptyDescriptor: Descriptor = {
  mediaType: ociTypes.empty,
  digest: digestOf(emptyConfig),
  size: emptyConfig.length,
};

const created = "org.opencontainers.image.created";
export const title = "org.opencontainers.image.title";

/** By role, never by name or content; an archive has its own. */
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
    layers: [
      layer(mediaTypes.manifest, manifestBytes, manifestName),
      ...manifest.files.map(fileLayer),
    ],
    annotations: { [created]: manifest.created, [title]: manifest.profile },
  });
}

/** A signature of a bundle by a key pair, or by a shared secret; each is a referrer. */
export type Proof = "attestation" | "hmac";

/** Only the first is a sigstore bundle, which other tools can find. */
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

/** As a list of referrers has it (distribution-spec, Referrers Tag Schema). */
export function referrerDescriptor(proof: Proof, referrer: Artifact, at: string): Descriptor {
  const { type, annotations } = proofs[proof];
  return {
    ...descriptorOf(referrer),
    artifactType: type,
    annotations: { ...annotations, [created]: at },
  };
}

function descriptorOf(artifact: Artifact): Descriptor {
  return { mediaType: ociTypes.manifest, digest: artifact.digest, size: artifact.bytes.length };
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${sha256(bytes)}`;
}

function layer(mediaType: string, bytes: Uint8Array, name: string): Descriptor {
  const annotations = { [title]: name };
  return { mediaType, digest: digestOf(bytes), size: bytes.length, annotations };
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
  const text = "Cannot describe the bundle: an archive has no mediaType";
  throw new StellaError("manifest_invalid", text, { hint: "export the bundle again" });
}

function encode(value: unknown): Artifact {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { bytes, digest: digestOf(bytes) };
}
