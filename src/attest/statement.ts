/**
 * The in-toto Statement v1 with an SLSA provenance v1 predicate: which manifest, built how and from
 * what. It contains no time, host, user or local path, so the same inputs give the same bytes.
 * Source: in-toto/attestation spec/v1/statement.md; slsa.dev/provenance/v1.
 */

export const statementType = "https://in-toto.io/Statement/v1";
export const predicateType = "https://slsa.dev/provenance/v1";
export const manifestSubject = "manifest.json";
const registrySubject = "registry-manifest";

export interface Provenance {
  /** sha256 of manifest.json, hex. */
  bundleDigest: string;
  /** SHA-256 of the OCI manifest that a push would create, hex; absent for directory layout. */
  registryManifest?: string;
  version: string;
  parameters: {
    profile: string;
    tenant: string;
    compression: string;
    layout: string;
    volumeSize?: number;
    created: string;
  };
  /** One per source, with the digest of its part of the index; never a local path. */
  sources: readonly { name: string; sha256: string }[];
}

export function encodeStatement(p: Provenance): Uint8Array {
  const { profile, tenant, compression, layout, volumeSize, created } = p.parameters;
  const subject = [
    { name: manifestSubject, digest: { sha256: p.bundleDigest } },
    ...(p.registryManifest === undefined
      ? []
      : [{ name: registrySubject, digest: { sha256: p.registryManifest } }]),
  ];
  return new TextEncoder().encode(JSON.stringify({
    _type: statementType,
    subject,
    predicateType,
    predicate: {
      buildDefinition: {
        buildType: "urn:stella:bundle:v1",
        // Written out: their order belongs to the format.
        externalParameters: { profile, tenant, compression, layout, volumeSize, created },
        internalParameters: {},
        resolvedDependencies: p.sources.map((s) => ({
          name: s.name,
          digest: { sha256: s.sha256 },
        })),
      },
      runDetails: {
        builder: { id: "urn:stella", version: { stella: p.version } },
        metadata: { invocationId: p.bundleDigest },
      },
    },
  }));
}
