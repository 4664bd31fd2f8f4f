/**
 * The way back: attestation over the manifest's exact bytes -> manifest -> index -> archive or directory, merged against the
 * index -> verdict. It reads like the policy it enforces, and fails closed. node: built-ins and our own code only; it
 * writes nothing, opens no connection and no database, and needs no temporary space.
 */
import { type Finding, StellaError } from "../errors.ts";
import { checkAttestation, type Checked, largestAttestation } from "../attest/check/check.ts";
import type { TrustedKey } from "../attest/check/trust.ts";
import {
  attestationName,
  bundleDigest,
  type BundleFile,
  type Manifest,
  manifestName,
} from "../bundle/manifest.ts";
import { largestManifest, readManifest } from "../bundle/read_manifest.ts";
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { createdSeconds } from "../bundle/time.ts";
import { ArchiveReader } from "./archive_reader.ts";
import { checkDirectory } from "./directory.ts";
import { digestDiffers, Findings, sizeDiffers } from "./findings.ts";
import { checkFile, openFile } from "./files.ts";
import { IndexReader } from "./index_reader.ts";
import { mergeArchive, type Merged } from "./merge.ts";
import { TarCursor } from "./tar_cursor.ts";
import { judge, type Verdict } from "./verdict.ts";

export interface VerifyOptions {
  trusted: readonly TrustedKey[];
  /** Judge bytes only: a missing or unknown signer is reported, but is no refusal. */
  integrityOnly?: boolean;
  /** Bytes read so far and bytes to read. */
  progress?: (done: number, total: number) => void;
}

/**
 * Verifies the bundle in `source` and says everything that was found.
 * @throws StellaError media or registry where bytes could not be read: that is no statement about them
 */
export async function verifyBundle(source: BundleSource, options: VerifyOptions): Promise<Verdict> {
  const findings = new Findings();
  const manifestBytes = await readManifestBytes(source);
  const attested = await checkSigner(source, manifestBytes, options.trusted);
  attested.findings.forEach((finding) => findings.add(finding));
  const facts = signerFacts(attested);
  if (attested.findings.some((f) => f.code === "signature")) {
    return {
      ...judge(findings.all(), false),
      ...facts,
      filesVerified: 0,
      findings: findings.all(),
    };
  }
  const manifest = readManifest(manifestBytes);
  const filesVerified = await checkContent(source, manifest, findings, options.progress);
  return {
    ...judge(findings.all(), options.integrityOnly ?? false),
    bundle: bundleFacts(manifest, manifestBytes),
    ...facts,
    filesVerified,
    findings: findings.all(),
  };
}

async function readManifestBytes(source: BundleSource): Promise<Uint8Array> {
  const bytes = await readSmall(source, manifestName, largestManifest);
  if (bytes !== undefined) return bytes;
  throw new StellaError("manifest", `Cannot verify ${source.name}: it has no ${manifestName}`, {
    hint: "an export writes the manifest last: an export that was interrupted has none",
  });
}

async function checkSigner(
  source: BundleSource,
  manifestBytes: Uint8Array,
  trusted: readonly TrustedKey[],
): Promise<Checked> {
  const bytes = await readSmall(source, attestationName, largestAttestation, "signature");
  if (bytes !== undefined) {
    return checkAttestation(attestationName, bytes, manifestBytes, trusted);
  }
  const finding: Finding = {
    code: "untrusted",
    reason: "attestation_missing",
    path: attestationName,
    found: "nobody vouches for this bundle",
    hint: "copy the attestation too, or check the bytes alone with --integrity-only",
  };
  return { findings: [finding] };
}

async function checkContent(
  source: BundleSource,
  manifest: Manifest,
  findings: Findings,
  progress: VerifyOptions["progress"],
): Promise<number> {
  const total = manifest.files.reduce((sum, file) => sum + file.size, 0) +
    (manifest.payload.layout === "directory" ? manifest.payload.bytes : 0);
  let done = 0;
  const count = (bytes: number) => progress?.(done += bytes, total);
  for (const file of manifest.files) {
    if (file.role !== "archive" && file.role !== "index") {
      await checkFile(source, file, findings, count);
    }
  }
  return await checkPayload(source, manifest, findings, count);
}

async function checkPayload(
  source: BundleSource,
  manifest: Manifest,
  findings: Findings,
  count: (bytes: number) => void,
): Promise<number> {
  const indexFile = manifest.files.find((file) => file.role === "index")!;
  const volumes = manifest.files.filter((file) => file.role === "archive");
  const archive = new ArchiveReader(source, volumes, findings, count);
  const reader = await openFile(source, indexFile, findings);
  try {
    if (reader === undefined) return await checkWithoutIndex(archive);
    const index = new IndexReader(reader, indexFile.size);
    const merged = manifest.payload.layout === "directory"
      ? await checkDirectory(source, index, manifest.payload.bytes, count)
      : await mergeArchive(
        index,
        new TarCursor(() => archive.next()),
        volumes[0]!.path,
        createdSeconds(manifest.created)!,
      );
    const indexRight = await checkIndexDigest(index, indexFile, findings, count);
    addMerged(merged, manifest, findings, indexRight && !archive.damaged);
    return merged.files;
  } finally {
    reader?.close();
    archive.close();
  }
}

/** The stored bytes can still be judged; which files they hold cannot. */
async function checkWithoutIndex(archive: ArchiveReader): Promise<number> {
  while (await archive.next() !== undefined);
  return 0;
}

async function checkIndexDigest(
  index: IndexReader,
  file: BundleFile,
  findings: Findings,
  count: (bytes: number) => void,
): Promise<boolean> {
  const found = await index.finish();
  count(found.size);
  if (found.size === file.size && found.sha256 === file.sha256) return true;
  findings.add(
    found.size === file.size
      ? digestDiffers(file.path, file.sha256, found.sha256)
      : sizeDiffers(file, Math.max(found.size, index.reader.size)),
  );
  return false;
}

/** What the merge found is a detail of code 7 where the stored bytes themselves were already wrong. */
function addMerged(merged: Merged, manifest: Manifest, findings: Findings, sound: boolean): void {
  findings.take(merged.findings, (code) => {
    return !sound && (code === "unexpected" || code === "unsafe") ? "digest" : code;
  });
  const { files, bytes } = manifest.payload;
  if (!merged.findings.none || (merged.files === files && merged.bytes === bytes)) return;
  findings.add({
    code: "digest",
    reason: "payload_differs",
    path: manifestName,
    found: `${merged.files} files of ${merged.bytes} bytes`,
    expected: `${files} files of ${bytes} bytes`,
    hint: "the manifest contradicts its own index: ask its maker",
  });
}

function signerFacts(attested: Checked): Pick<Verdict, "signer" | "claimedKeyid"> {
  const { signer, claimedKeyid } = attested;
  if (signer !== undefined) return { signer: { keyid: signer.keyid, name: signer.name } };
  return claimedKeyid === undefined ? {} : { claimedKeyid };
}

function bundleFacts(manifest: Manifest, bytes: Uint8Array): NonNullable<Verdict["bundle"]> {
  return {
    profile: manifest.profile,
    tenant: manifest.tenant,
    bundleDigest: bundleDigest(bytes),
    created: manifest.created,
    files: manifest.payload.files,
    bytes: manifest.payload.bytes,
    tool: manifest.tool,
  };
}
