/**
 * Small bundles for tests, made in memory and signed by a throwaway key: sound ones, and hostile
 * ones whose signature is right all the same, so that what lies behind the signature is tested by
 * itself.
 */
import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import type { TrustedKey } from "../../src/attest/check/trust.ts";
import { type Algorithm, keyidOf } from "../../src/attest/dsse.ts";
import { attest, type Signer, signerFrom } from "../../src/attest/sign/signer.ts";
import { encodeStatement } from "../../src/attest/statement.ts";
import { archiveName, volumeName } from "../../src/bundle/archive_writer.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { encodeIndexLine } from "../../src/bundle/index_file.ts";
import {
  attestationName,
  type BundleFile,
  chunkSize,
  type Compression,
  encodeManifest,
  indexName,
  type Layout,
  type Manifest,
  manifestName,
  mediaTypes,
} from "../../src/bundle/manifest.ts";
import { comparePaths } from "../../src/domain/paths.ts";
import { PrivateFiles } from "../../src/bundle/private_files.ts";
import type { BundleSource, ListedEntry } from "../../src/bundle/source.ts";
import { encodeHeader, paddingOf } from "../../src/bundle/tar_header.ts";
import { createdSeconds } from "../../src/domain/time.ts";
import { compressChunk } from "../../src/bundle/zstd_chunk.ts";

export const created = "2026-01-01T00:00:00Z";
export const mtime = createdSeconds(created)!;

/** A machine without keys, credentials and state. */
export const noPrivateFiles = new PrivateFiles({ files: [], directories: [] }, Date.now);

export interface TestKey {
  signer: Signer;
  trusted: TrustedKey;
  privatePem: string;
  publicPem: string;
}

/**
 * An Ed25519 key that is the same in every run, so that whole bundles are; a P-256 key is new each
 * time.
 */
export function testKey(name = "test", algorithm: Algorithm = "ed25519"): TestKey {
  const key = algorithm === "ed25519"
    ? ed25519From(sha256(name))
    : generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const privatePem = key.export({ type: "pkcs8", format: "pem" }) as string;
  const spki = createPublicKey(privatePem);
  const publicPem = spki.export({ type: "spki", format: "pem" }) as string;
  const trusted = { keyid: keyidOf(spki), name, path: `${name}.pub`, algorithm, key: spki };
  return { signer: signerFrom(createPrivateKey(privatePem), name), trusted, privatePem, publicPem };
}

/** RFC 8410: a PKCS#8 Ed25519 key is this prefix and a seed. */
function ed25519From(seedHex: string): KeyObject {
  const der = Buffer.from(`302e020100300506032b657004220420${seedHex}`, "hex");
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

export interface Entry {
  path: string;
  content: string | Uint8Array;
  mode?: number;
}

export const someEntries: Entry[] = [
  { path: "a.txt", content: "first\n" },
  { path: "b/run.sh", content: "#!/bin/sh\n", mode: 0o755 },
  { path: "b/\u00e9t\u00e9.json", content: "{}" },
  { path: "c.bin", content: new Uint8Array(700).map((_, i) => i * 7) },
  { path: "d/empty", content: "" },
];

/** How a bundle is made, and what a hostile maker changes before signing. */
export interface Recipe {
  entries?: Entry[];
  layout?: Layout;
  compression?: Compression;
  /** Cuts the archive into volumes of so many chunks. */
  chunksPerVolume?: number;
  /** The archive's bytes, in place of the entries'. */
  tar?: Uint8Array;
  /** The index, in place of the entries'. */
  index?: string | Uint8Array;
  /** More documents beside the manifest. */
  documents?: Record<string, Uint8Array>;
  /** Stored bytes of a chunk, in place of its one zstd frame. */
  storeChunk?: (chunk: Uint8Array, index: number) => Uint8Array;
  manifest?: (manifest: Manifest) => void;
  /** The manifest's bytes, from the right ones. */
  manifestBytes?: (bytes: Uint8Array) => Uint8Array;
  // deno-lint-ignore no-explicit-any -- a hostile statement has any shape
  statement?: (statement: any) => unknown;
  key?: TestKey;
}

export type Files = Map<string, Uint8Array>;

export interface MadeBundle {
  files: Files;
  manifest: Manifest;
  key: TestKey;
  /** The tar before it was stored. */
  tar: Uint8Array;
}

export function makeBundle(recipe: Recipe = {}): MadeBundle {
  const { layout = "archive", compression = "none", key = testKey() } = recipe;
  const entries = [...recipe.entries ?? someEntries].sort((a, b) => comparePaths(a.path, b.path));
  const files: Files = new Map();
  files.set(indexName, bytesOf(recipe.index ?? indexOf(entries)));
  files.set("VERIFY.txt", bytesOf("how to check\n"));
  for (const [path, bytes] of Object.entries(recipe.documents ?? {})) files.set(path, bytes);
  const documents = ["VERIFY.txt", ...Object.keys(recipe.documents ?? {})];
  const listed = [
    describe(indexName, "index", files),
    ...documents.map((path) => describe(path, "document", files)),
  ];
  const tar = recipe.tar ?? tarOf(entries);
  if (layout === "directory") {
    entries.forEach((entry) => files.set(`payload/${entry.path}`, bytesOf(entry.content)));
  } else listed.push(...store(tar, compression, recipe, files));
  const manifest = manifestOf(listed, entries, layout);
  recipe.manifest?.(manifest);
  sign(files, manifest, recipe, key);
  return { files, manifest, key, tar };
}

function sign(files: Files, manifest: Manifest, recipe: Recipe, key: TestKey): void {
  const right = encodeManifest(manifest);
  const bytes = recipe.manifestBytes?.(right) ?? right;
  files.set(manifestName, bytes);
  files.set(attestationName, attest(statementOf(bytes, recipe), key.signer));
}

function statementOf(manifestBytes: Uint8Array, recipe: Recipe): Uint8Array {
  const statement = encodeStatement({
    bundleDigest: sha256(manifestBytes),
    version: "0.1.0",
    parameters: { profile: "p", tenant: "t", compression: "none", layout: "archive", created },
    sources: [],
  });
  if (recipe.statement === undefined) return statement;
  const changed = recipe.statement(JSON.parse(new TextDecoder().decode(statement)));
  return bytesOf(typeof changed === "string" ? changed : JSON.stringify(changed));
}

export function indexOf(entries: readonly Entry[]): string {
  return entries.map(({ path, content }) => encodeIndexLine({ path, sha256: sha256(content) }))
    .join("");
}

/** The archive of the entries in the order given. */
export function tarOf(entries: readonly Entry[]): Uint8Array {
  return Buffer.concat([...entries.map(entryOf), Buffer.alloc(1024)]);
}

/** Header, content and padding of one entry. */
export function entryOf({ path, content, mode = 0o644 }: Entry): Uint8Array {
  const bytes = bytesOf(content);
  const header = encodeHeader({ path, size: bytes.length, mode, mtime });
  return Buffer.concat([header, bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

function store(
  tar: Uint8Array,
  compression: Compression,
  recipe: Recipe,
  files: Files,
): BundleFile[] {
  const chunks = Array.from(
    { length: Math.ceil(tar.length / chunkSize) },
    (_, i) => tar.subarray(i * chunkSize, (i + 1) * chunkSize),
  );
  const perVolume = recipe.chunksPerVolume ?? chunks.length;
  const count = Math.ceil(chunks.length / perVolume);
  const stored = recipe.storeChunk ?? (compression === "zstd" ? compressChunk : (c) => c);
  return Array.from({ length: count }, (_, v) => {
    const plain = chunks.slice(v * perVolume, (v + 1) * perVolume);
    const pieces = plain.map((chunk, i) => stored(chunk, v * perVolume + i));
    const name = archiveName("p", compression);
    const path = recipe.chunksPerVolume === undefined ? name : volumeName(name, v + 1);
    files.set(path, Buffer.concat(pieces));
    return {
      ...describe(path, "archive", files),
      mediaType: compression === "zstd" ? mediaTypes.tarZstd : mediaTypes.tar,
      uncompressedSize: plain.reduce((sum, chunk) => sum + chunk.length, 0),
      chunkSize,
      chunks: pieces.map((piece) => ({ size: piece.length, sha256: sha256(piece) })),
      ...(recipe.chunksPerVolume === undefined ? {} : { volume: { index: v + 1, of: count } }),
    };
  });
}

function describe(path: string, role: BundleFile["role"], files: Files): BundleFile {
  const bytes = files.get(path)!;
  return { path, role, size: bytes.length, sha256: sha256(bytes) };
}

function manifestOf(listed: BundleFile[], entries: Entry[], layout: Layout): Manifest {
  const bytes = entries.reduce((sum, { content }) => sum + bytesOf(content).length, 0);
  return {
    schemaVersion: 1,
    mediaType: mediaTypes.manifest,
    profile: "p",
    tenant: "t",
    created,
    tool: { name: "stella", version: "0.1.0", commit: "0".repeat(40) },
    payload: { layout, index: indexName, files: entries.length, bytes },
    files: listed.sort((a, b) => comparePaths(a.path, b.path)),
  };
}

export function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

/** A source in memory; what `links` names is refused as a link would be. */
export function memorySource(files: Files, links: ReadonlySet<string> = new Set()): BundleSource {
  return {
    name: "memory",
    open: (path) => {
      if (links.has(path)) throw new StellaError("unsafe_entry", `${path}: it is a symbolic link`);
      const bytes = files.get(path);
      return bytes && memoryReader(bytes);
    },
    *walk(directory): Generator<ListedEntry> {
      for (const path of files.keys()) {
        if (!path.startsWith(`${directory}/`)) continue;
        yield links.has(path) ? { path, fault: "a symbolic link" } : { path };
      }
    },
  };
}

function memoryReader(bytes: Uint8Array) {
  let at = 0;
  return {
    size: bytes.length,
    read: (buffer: Uint8Array) => {
      const part = bytes.subarray(at, at + buffer.length);
      buffer.set(part);
      at += part.length;
      return part.length;
    },
    close: () => {},
  };
}

/** In memory where there is room: the tests write many small files and sync each of them. */
const place = roomInMemory() ? "/dev/shm" : tmpdir();

function roomInMemory(): boolean {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > 512 * 1024 * 1024;
  } catch {
    return false;
  }
}

/** Runs `body` with a new directory that is removed after it. */
export async function withDirectory<T>(
  body: (path: string) => T | Promise<T>,
  parent = place,
): Promise<T> {
  const path = mkdtempSync(join(parent, "stella-test-"));
  try {
    return await body(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

export function writeFiles(directory: string, files: Files | Record<string, string>): void {
  const entries = files instanceof Map ? [...files] : Object.entries(files);
  for (const [path, content] of entries) {
    const full = join(directory, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }
}
