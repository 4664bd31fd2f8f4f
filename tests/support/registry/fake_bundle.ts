/** A small finished bundle, and the client that tests push it with. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BundleFile,
  chunkSize,
  encodeManifest,
  type Manifest,
  mediaTypes,
} from "../../../src/bundle/manifest.ts";
import type { RegistryClient } from "../../../src/registry/client.ts";
import { openRegistry, type RegistrySettings } from "../../../src/registry/open.ts";
import { parseEndpoint } from "../../../src/domain/reference.ts";
import type { Timing } from "../../../src/net/retry.ts";
import type { Timeouts } from "../../../src/net/exchange.ts";

export const attestation = new TextEncoder().encode('{"mediaType":"fake"}\n');

export interface FakeBundle {
  dir: string;
  manifest: Manifest;
  manifestBytes: Uint8Array;
  /** Of the archive. */
  archive: Uint8Array;
}

/**
 * Runs `body` with a bundle in a new directory, whose archive has `bytes` bytes, a multiple of 512
 * as in every tar.
 */
export async function withBundle(
  body: (bundle: FakeBundle) => Promise<void>,
  bytes = 3072,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "stella-registry-"));
  try {
    await body(writeBundle(dir, bytes));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function writeBundle(dir: string, bytes: number): FakeBundle {
  const archive = new Uint8Array(bytes).map((_, i) => i * 31 + (i >> 8) + 7 * (i >> 16));
  const index = new TextEncoder().encode(`${"0".repeat(64)}  a\n`);
  const files: BundleFile[] = [
    { ...described("SHA256SUMS", index), role: "index" },
    { ...described("VERIFY.txt", new TextEncoder().encode("How to check\n")), role: "document" },
    { ...described("advisories.tar", archive), role: "archive", ...archiveFields(archive) },
  ];
  const manifest = manifestOf(files);
  const manifestBytes = encodeManifest(manifest);
  writeFileSync(join(dir, "SHA256SUMS"), index);
  writeFileSync(join(dir, "VERIFY.txt"), "How to check\n");
  writeFileSync(join(dir, "advisories.tar"), archive);
  writeFileSync(join(dir, "manifest.json"), manifestBytes);
  writeFileSync(join(dir, "manifest.json.sigstore.json"), attestation);
  return { dir, manifest, manifestBytes, archive };
}

export function manifestOf(files: BundleFile[]): Manifest {
  return {
    schemaVersion: 1,
    mediaType: mediaTypes.manifest,
    profile: "advisories",
    tenant: "default",
    created: "2026-01-01T00:00:00Z",
    tool: { name: "stella", version: "0.1.0", commit: "unknown" },
    payload: { layout: "archive", index: "SHA256SUMS", files: 1, bytes: 1 },
    files,
  };
}

function described(path: string, bytes: Uint8Array) {
  return { path, size: bytes.length, sha256: sha256(bytes) };
}

function archiveFields(archive: Uint8Array): Partial<BundleFile> {
  const chunks = [];
  for (let at = 0; at < archive.length; at += chunkSize) {
    const piece = archive.subarray(at, at + chunkSize);
    chunks.push({ size: piece.length, sha256: sha256(piece) });
  }
  return { mediaType: mediaTypes.tar, uncompressedSize: archive.length, chunkSize, chunks };
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A clock that moves only by waiting, and does not wait. */
export class FakeTiming implements Timing {
  readonly waits: number[] = [];
  #now = 0;
  now(): number {
    return this.#now;
  }
  random(): number {
    return 0.5;
  }
  sleep(milliseconds: number): Promise<void> {
    this.waits.push(milliseconds);
    this.#now += milliseconds;
    return Promise.resolve();
  }
}

/** A client that may talk to everybody and does not wait. */
export function clientFor(
  url: string,
  options: Partial<RegistrySettings> & { timing?: Timing; timeouts?: Timeouts } = {},
): RegistryClient {
  const { timing = new FakeTiming(), timeouts, ...settings } = options;
  return openRegistry({ endpoint: parseEndpoint(url), ...settings }, {
    timing,
    policy: () => {},
    ...(timeouts === undefined ? {} : { timeouts }),
  });
}
