/**
 * Detects the kind of a payload file from its name and first bytes, because whole files are not
 * read twice. A heuristic for counting and listing, never for trust. Sources: OSV schema 1.7, CISA
 * KEV catalog, EPSS CSV, CSAF 2.0, OpenVEX 0.2, CycloneDX 1.6, SPDX 2.3 and 3.0.
 */
import { artifactKinds } from "./labels.ts";

export type ArtifactKind = typeof artifactKinds[number];

/** Number of bytes that are examined. */
export const headLength = 4096;

/** The first match counts: a VEX profile of CSAF is VEX, and both forms of VEX show that early. */
const signs: readonly [ArtifactKind, RegExp][] = [
  ["vex", /openvex\.dev\/ns|"category"\s*:\s*"csaf_vex"/],
  ["csaf", /"csaf_version"|"category"\s*:\s*"csaf_/],
  ["cyclonedx", /"bomFormat"\s*:\s*"CycloneDX"|cyclonedx\.org\/schema/],
  ["spdx", /"spdxVersion"|"SPDXID"|spdx\.org\/rdf|^SPDXVersion:/m],
  ["kev", /"catalogVersion"|"cveID"|Known Exploited Vulnerabilities/],
  ["epss", /^#?\s*model_version:|^cve,epss,percentile/m],
  [
    "osv",
    /"schema_version"\s*:\s*"1\.|^\s*\{\s*"(?:id|modified)"\s*:\s*"[^"]+",[^]*"(?:id|modified|aliases|affected)"\s*:/,
  ],
];

// A file of many JSON lines is none of these documents, whatever its first line looks like.
const textName = /\.(json|csv|xml|spdx|rdf)$/i;

/** `path` in the bundle; `head` its first bytes, up to `headLength`. */
export function artifactKind(path: string, head: Uint8Array): ArtifactKind {
  if (!textName.test(path)) return "other";
  // Latin-1 maps every byte to a character; the patterns are ASCII, so a cut character is harmless.
  const text = new TextDecoder("latin1").decode(head.subarray(0, headLength));
  return signs.find(([, sign]) => sign.test(text))?.[0] ?? "other";
}

/** Counts files by kind; kinds without files are absent. */
export class ArtifactCount {
  readonly counts: Partial<Record<ArtifactKind, number>> = {};

  add(path: string, head: Uint8Array): void {
    const kind = artifactKind(path, head);
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }
}
