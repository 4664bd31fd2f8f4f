/**
 * manifest.json: the small thing that is signed. It lists every file that lies beside it.
 * Shapes and fixed key order after design.md sections 3 and 10 and formats.md 4.2; read_manifest.ts reads it strictly.
 */
import { createHash } from "node:crypto";

export const manifestName = "manifest.json";
export const attestationName = "manifest.json.sigstore.json";
/** The envelope of a shared secret, beside the attestation and never in its place. */
export const hmacName = "manifest.json.hmac.json";
export const indexName = "SHA256SUMS";
/** The manifest of a bundle while another takes its place. */
export const oldManifestName = "manifest.json.old";

export const mediaTypes = {
  manifest: "application/vnd.stella.bundle.manifest.v1+json",
  tar: "application/vnd.stella.bundle.archive.v1.tar",
  tarZstd: "application/vnd.stella.bundle.archive.v1.tar+zstd",
} as const;

/** 4 MiB: the piece of the tar that is one zstd frame, and the unit in which damage is located. */
export const chunkSize = 4 * 1024 * 1024;

export type Role = "archive" | "document" | "index" | "program" | "script";
export type Layout = "archive" | "directory";
export type Compression = "zstd" | "none";

export interface Chunk {
  /** Stored bytes. */
  size: number;
  /** Lowercase hex of the stored bytes. */
  sha256: string;
}

export interface BundleFile {
  path: string;
  role: Role;
  /** Only archives and volumes have one. */
  mediaType?: string;
  executable?: true;
  size: number;
  sha256: string;
  /** Bytes of tar in this file; archives and volumes only, like the two that follow. */
  uncompressedSize?: number;
  chunkSize?: number;
  chunks?: Chunk[];
  volume?: { index: number; of: number };
}

export interface Manifest {
  schemaVersion: 1;
  mediaType: typeof mediaTypes.manifest;
  profile: string;
  tenant: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`, 1980 to 2107. */
  created: string;
  /** Grows with each export of a profile; set when deltas come. */
  sequence?: number;
  tool: { name: string; version: string; commit: string };
  payload: {
    layout: Layout;
    index: string;
    files: number;
    /** Sum of the payload files' sizes. */
    bytes: number;
    /** bundleDigest of the bundle that this one builds on; set when deltas come. */
    base?: string;
  };
  files: BundleFile[];
}

/** Compact JSON in the documented key order, one line feed at the end. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(ordered(manifest)) + "\n");
}

function ordered(m: Manifest): Manifest {
  return {
    schemaVersion: m.schemaVersion,
    mediaType: m.mediaType,
    profile: m.profile,
    tenant: m.tenant,
    created: m.created,
    ...(m.sequence === undefined ? {} : { sequence: m.sequence }),
    tool: { name: m.tool.name, version: m.tool.version, commit: m.tool.commit },
    payload: {
      layout: m.payload.layout,
      index: m.payload.index,
      files: m.payload.files,
      bytes: m.payload.bytes,
      ...(m.payload.base === undefined ? {} : { base: m.payload.base }),
    },
    files: m.files.map(orderedFile),
  };
}

function orderedFile(f: BundleFile): BundleFile {
  return {
    path: f.path,
    role: f.role,
    ...(f.mediaType === undefined ? {} : { mediaType: f.mediaType }),
    ...(f.executable === undefined ? {} : { executable: f.executable }),
    size: f.size,
    sha256: f.sha256,
    ...(f.uncompressedSize === undefined ? {} : { uncompressedSize: f.uncompressedSize }),
    ...(f.chunkSize === undefined ? {} : { chunkSize: f.chunkSize }),
    ...(f.chunks === undefined
      ? {}
      : { chunks: f.chunks.map((c) => ({ size: c.size, sha256: c.sha256 })) }),
    ...(f.volume === undefined ? {} : { volume: { index: f.volume.index, of: f.volume.of } }),
  };
}

/** sha256 of the manifest's exact bytes, lowercase hex. */
export function bundleDigest(manifestBytes: Uint8Array): string {
  return createHash("sha256").update(manifestBytes).digest("hex");
}
