/** Pushes a finished bundle from its directory: files are read once, while they are sent. */
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import {
  attestationName,
  bundleDigest,
  hmacName,
  type Manifest,
  manifestName,
} from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { directorySource, readSmall } from "../bundle/source.ts";
import { type Reason, StellaError } from "../domain/errors.ts";
import {
  type Artifact,
  bundleArtifact,
  emptyConfig,
  type Proof,
  proofArtifact,
  referrerDescriptor,
} from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import { type Blob, counted, fileBlob, memoryBlob } from "./blob.ts";
import type { RegistryClient } from "./client.ts";
import { isRepository, isTag } from "../domain/reference.ts";
import { announce } from "./referrers.ts";
import { Repository } from "./repository.ts";

export interface PushOptions {
  client: RegistryClient;
  /** The directory with manifest.json, its attestation and the listed files. */
  dir: string;
  repository: string;
  tag?: string;
  /** Other repositories of the registry, whose blobs are mounted instead of sent. */
  mountFrom?: readonly string[];
  /**
   * Set if the bundle is verified meanwhile: resolves with the digest of the verified manifest.
   * Until then blobs are sent, to which nothing refers, and they are not hashed again.
   */
  approved?: Promise<string>;
  /** Bytes stored in the registry and total bytes; decreases if an upload starts again. */
  progress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface PushReport {
  /** Of the OCI manifest. */
  digest: Digest;
  attestationDigest: Digest;
  tag: string | undefined;
  /** How the attestation is found: by the referrers API, or by the tag `sha256-<hex>`. */
  referrers: "api" | "tag";
  /** Total size of all blobs, sent or not. */
  bytes: number;
  seconds: number;
  /** Blobs that were sent, and blobs that existed or were mounted. */
  uploaded: number;
  existed: number;
}

/** Signatures are small: ours have a few KiB. */
const maxProofBytes = 1024 * 1024;

/**
 * Order: blobs, bundle manifest by digest, attestation, tag: a tag never points to something that
 * cannot be verified. The attestation is pushed unchecked.
 * @throws StellaError usage, manifest, missing, untrusted, differs, io, remote, interrupted
 */
export async function pushBundle(options: PushOptions): Promise<PushReport> {
  const { client, tag } = options;
  checkNames(options);
  const started = client.timing.now();
  const bundle = await readBundle(options.dir, options.approved !== undefined);
  const { mountFrom = [], signal } = options;
  const counts = await pushBlobs(options, bundle.blobs);
  const repository = new Repository(client, options.repository, { mountFrom, signal });
  await checkApproval(bundle, options);
  await repository.pushManifest(bundle.artifact);
  const referrers = await pushProofs(repository, bundle);
  if (tag !== undefined) await repository.putManifest(tag, bundle.artifact);
  return {
    digest: bundle.artifact.digest,
    attestationDigest: bundle.attestation.digest,
    tag,
    referrers,
    ...counts,
    seconds: (client.timing.now() - started) / 1000,
  };
}

function checkNames({ repository, tag, mountFrom = [] }: PushOptions): void {
  const faults = [repository, ...mountFrom].filter((name) => !isRepository(name))
    .map((name) => `the repository ${shown(name)} is not allowed`);
  if (tag !== undefined && !isTag(tag)) faults.push(`the tag ${shown(tag)} is not allowed`);
  if (faults.length > 0) {
    throw new StellaError("reference_invalid", `Cannot push the bundle: ${faults.join("; ")}`, {
      hint: "write repositories in lowercase, and tags with letters, digits and . _ - only",
    });
  }
}

/** What is pushed must be what was verified. */
async function checkApproval({ digest }: Bundle, { approved, dir }: PushOptions): Promise<void> {
  if (approved === undefined || await approved === digest) return;
  const text = `Cannot push ${shown(dir)}: its ${manifestName} has changed`;
  throw new StellaError("digest_mismatch", text, {
    hint: "push it again: the bundle changed while it was verified",
  });
}

interface Bundle {
  /** sha256 of manifest.json. */
  digest: string;
  manifest: Manifest;
  artifact: Artifact;
  attestation: Artifact;
  hmacSignature: Artifact | undefined;
  blobs: Blob[];
}

async function readBundle(dir: string, verified: boolean): Promise<Bundle> {
  const source = directorySource(dir);
  const bytes = await readSmall(source, manifestName, maxManifestBytes);
  if (bytes === undefined) {
    throw absent("manifest_missing", dir, manifestName, "name the directory of a finished bundle");
  }
  const manifest = readManifest(bytes);
  const artifact = bundleArtifact(manifest, bytes);
  // Nobody could tell an unsigned bundle from a forged one.
  const attestation = await readSmall(source, attestationName, maxProofBytes);
  if (attestation === undefined) {
    const hint = "export the bundle again, or copy its attestation too";
    throw absent("attestation_missing", dir, attestationName, hint);
  }
  const hmacSignature = await readSmall(source, hmacName, maxProofBytes);
  const proof = (kind: Proof, content: Uint8Array) =>
    proofArtifact(kind, artifact, content, manifest.created);
  const small = [emptyConfig, attestation, hmacSignature, bytes].filter((one) => one !== undefined);
  const files = manifest.files.map((file) => fileBlob(source, file, verified));
  return {
    digest: bundleDigest(bytes),
    manifest,
    artifact,
    attestation: proof("attestation", attestation),
    hmacSignature: hmacSignature && proof("hmac", hmacSignature),
    blobs: small.map(memoryBlob).concat(files),
  };
}

/** The attestation, and the HMAC signature if there is one. @returns how both are found */
async function pushProofs(
  repository: Repository,
  { artifact, attestation, hmacSignature, manifest }: Bundle,
): Promise<"api" | "tag"> {
  const put = async (proof: Proof, referrer: Artifact) => {
    await repository.pushManifest(referrer);
    const descriptor = referrerDescriptor(proof, referrer, manifest.created);
    return await announce(repository, artifact.digest, descriptor);
  };
  if (hmacSignature !== undefined) await put("hmac", hmacSignature);
  return await put("attestation", attestation);
}

function absent(reason: Reason, dir: string, name: string, hint: string): StellaError {
  return new StellaError(reason, `Cannot push ${shown(dir)}: there is no ${name}`, { hint });
}

/** Large blobs in turn, beside the small ones: a round trip takes as long as megabytes. */
async function pushBlobs(
  { client, repository: name, mountFrom = [], signal, progress = () => {} }: PushOptions,
  blobs: Blob[],
): Promise<{ bytes: number; uploaded: number; existed: number }> {
  const bytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const failed = new AbortController();
  const both = AbortSignal.any([failed.signal, signal].filter((one) => one !== undefined));
  const repository = new Repository(client, name, { mountFrom, signal: both });
  let done = 0;
  let uploaded = 0;
  const push = async (blob: Blob) => {
    let sent = 0;
    const move = (to: number) => {
      done += to - sent;
      sent = to;
      progress(done, bytes);
    };
    if (await repository.pushBlob(counted(blob, move))) uploaded++;
    move(blob.size);
  };
  const lane = async (some: Blob[] = []) => {
    for (const blob of some) await push(blob);
  };
  const { large, small } = Object.groupBy(blobs, ({ size }) => {
    return size > client.chunk ? "large" : "small";
  });
  // If one fails the other is aborted too, before the error is thrown.
  await Promise.all([large, small].map((some) => lane(some).catch((error) => failed.abort(error))));
  failed.signal.throwIfAborted();
  return { bytes, uploaded, existed: blobs.length - uploaded };
}
