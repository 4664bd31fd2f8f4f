/** Creates the manifest, the attestation and the HMAC signature. */
import { attest, type Signer, signWithSecret } from "../attest/sign/signer.ts";
import { encodeStatement } from "../attest/statement.ts";
import {
  attestationName,
  bundleDigest,
  type BundleFile,
  encodeManifest,
  hmacName,
  indexName,
  type Manifest,
  manifestName,
  mediaTypes,
} from "../bundle/manifest.ts";
import { comparePaths } from "../domain/paths.ts";
import { createdText } from "../domain/time.ts";
import { bundleArtifact } from "../registry/artifact.ts";
import type { Packed } from "./pack.ts";

/** The manifest of a bundle, and the content of its attestation. */
export interface Described {
  readonly packed: Packed;
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

export interface Signed {
  readonly manifest: Manifest;
  readonly bundleDigest: string;
  readonly keyid: string;
  /** Sum of files[].size and the manifest's size. */
  readonly bundleBytes: number;
  /** By name, the manifest first. */
  readonly files: readonly (readonly [name: string, content: Uint8Array])[];
}

/** @param companions the files other than index and payload */
export function describe(
  packed: Packed,
  companions: readonly BundleFile[],
  sequence: number | undefined,
): Described {
  const { plan } = packed;
  const { profile, tenant, tool, layout } = plan.spec;
  const manifest: Manifest = {
    schemaVersion: 1,
    mediaType: mediaTypes.manifest,
    profile,
    tenant,
    created: createdText(plan.created),
    ...(sequence === undefined ? {} : { sequence }),
    tool: { name: "stella", ...tool },
    payload: { layout, index: indexName, files: plan.files, bytes: plan.bytes },
    files: [...packed.files, ...companions].sort((a, b) => comparePaths(a.path, b.path)),
  };
  return Object.freeze({ packed, manifest, bytes: encodeManifest(manifest) });
}

/** Signs with `signer`, and with the shared secret if the specification has one. */
export function sign(described: Described, signer: Signer): Signed {
  const { manifest, bytes, packed: { plan: { spec } } } = described;
  const statement = encodeStatement(provenance(described));
  return Object.freeze({
    manifest,
    bundleDigest: bundleDigest(bytes),
    keyid: signer.keyid,
    bundleBytes: manifest.files.reduce((sum, { size }) => sum + size, bytes.length),
    files: [
      [manifestName, bytes] as const,
      [attestationName, attest(statement, signer)] as const,
      ...(spec.secret === undefined
        ? []
        : [[hmacName, signWithSecret(spec.secret, statement)] as const]),
    ],
  });
}

function provenance({ packed: { plan: { spec }, sources }, manifest, bytes }: Described) {
  const { layout, compression, volumeSize, profile, tenant } = spec;
  const registryManifest = layout === "directory"
    ? {}
    : { registryManifest: bundleArtifact(manifest, bytes).digest.replace("sha256:", "") };
  const volumes = volumeSize === undefined ? {} : { volumeSize };
  const { created } = manifest;
  return {
    bundleDigest: bundleDigest(bytes),
    ...registryManifest,
    version: spec.tool.version,
    parameters: { profile, tenant, compression, layout, ...volumes, created },
    sources,
  };
}
