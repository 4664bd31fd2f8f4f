/**
 * Self-test of the verifier. A verifier that accepts everything is the worst failure, and only a
 * negative control detects it: a known bundle must verify and tampered copies must be refused for
 * the right reason, on the code path of real bundles.
 */
import { messageOf } from "../domain/errors.ts";
import { publicKeyFrom, type TrustedKey } from "../attest/check/trust.ts";
import { encodeIndexLine } from "../bundle/index_file.ts";
import { attestationName, indexName, manifestName } from "../bundle/manifest.ts";
import { sha256 } from "../domain/hash.ts";
import { type BundleSource, memoryReader } from "../bundle/source.ts";
import { blockSize, encodeHeader } from "../bundle/tar_header.ts";
import { createdSeconds } from "../domain/time.ts";
import {
  probeAttestationFile,
  probeContent,
  probeKey,
  probeManifest,
  probePath,
} from "./probe_bundle.ts";
import { verifyBundle } from "./verify.ts";

export interface Probe {
  ok: boolean;
  /** What was tried, and the result. */
  detail: string;
  /** On failure: the reason, as in findings. */
  reason?: string;
}

/** A bundle in memory. */
export type Files = Map<string, Uint8Array>;

/** Tampered copies that must be refused, with the expected reason. */
const tamperings: { name: string; reason: string; tamper(files: Files): void; trusted: boolean }[] =
  [
    {
      name: "a bit of the manifest flipped",
      reason: "subject_mismatch",
      tamper: (files) => flip(files.get(manifestName)!, 60),
      trusted: true,
    },
    {
      name: "a bit of the payload flipped",
      reason: "digest_mismatch",
      tamper: (files) => flip(files.get("golden.tar")!, blockSize),
      trusted: true,
    },
    { name: "a key that is not trusted", reason: "key_unknown", tamper: () => {}, trusted: false },
  ];

/** Verifies a bundle. @returns `ok`, or the first reason against it */
export type Verifier = (files: Files, trusted: TrustedKey[]) => Promise<string>;

/** Never throws: failures are returned. @param outcome replaced in tests */
export async function probeAttestation(outcome: Verifier = verifyFiles): Promise<Probe> {
  try {
    const key = publicKeyFrom(probeKey, "golden");
    const good = await outcome(probeFiles(), [key]);
    if (good !== "ok") return failed(`the probe bundle was refused: ${good}`, good);
    for (const { name, reason, tamper, trusted } of tamperings) {
      const files = probeFiles();
      tamper(files);
      const found = await outcome(files, trusted ? [key] : []);
      if (found === "ok") return failed(`a tampered bundle was accepted: ${name}`, reason);
      if (found !== reason) return failed(`${name}: refused for ${found}, not ${reason}`, found);
    }
    return {
      ok: true,
      detail: `the probe bundle verifies, ${tamperings.length} tampered copies are refused`,
    };
  } catch (error) {
    return failed(`verification failed: ${messageOf(error)}`, "malformed");
  }
}

function failed(detail: string, reason: string): Probe {
  return { ok: false, detail, reason };
}

async function verifyFiles(files: Files, trusted: TrustedKey[]): Promise<string> {
  const verdict = await verifyBundle(memorySource(files), { trusted });
  return verdict.ok ? "ok" : verdict.findings[0]?.reason ?? "refused without a reason";
}

function probeFiles(): Files {
  const text = new TextEncoder();
  const content = text.encode(probeContent);
  const header = encodeHeader({
    path: probePath,
    size: content.length,
    mode: 0o644,
    mtime: createdSeconds("2026-01-01T00:00:00Z")!,
  });
  const tar = new Uint8Array(4 * blockSize);
  tar.set(header);
  tar.set(content, blockSize);
  return new Map([
    [manifestName, text.encode(probeManifest + "\n")],
    [attestationName, text.encode(probeAttestationFile + "\n")],
    [indexName, text.encode(encodeIndexLine({ path: probePath, sha256: sha256(content) }))],
    ["golden.tar", tar],
  ]);
}

function flip(bytes: Uint8Array, at: number): void {
  bytes[at] = bytes[at]! ^ 1;
}

/** A bundle in memory. */
export function memorySource(files: ReadonlyMap<string, Uint8Array>): BundleSource {
  return {
    name: "memory",
    open: (path) => {
      const bytes = files.get(path);
      return bytes && memoryReader(bytes);
    },
  };
}
