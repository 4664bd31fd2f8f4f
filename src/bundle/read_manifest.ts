/**
 * Reads manifest.json strictly: exactly the fields of manifest.ts in the one encoding that
 * encodeManifest writes. The result is consistent in itself; verify/ compares it with the files.
 */
import { Buffer } from "node:buffer";
import { StellaError } from "../domain/errors.ts";
import { array, integer, object, oneOf, type Shape, ShapeFault, text } from "./json_shape.ts";
import {
  attestationName,
  type BundleFile,
  chunkSize,
  encodeManifest,
  hmacName,
  indexName,
  type Manifest,
  manifestName,
  mediaTypes,
  oldManifestName,
} from "./manifest.ts";
import { sha256Hex } from "../domain/hash.ts";
import { isName, shown } from "../domain/names.ts";
import { comparePaths, folded, pathFault } from "../domain/paths.ts";
import { JsonFault, parseStrict } from "./strict_json.ts";
import { blockSize } from "./tar_header.ts";
import { createdSeconds } from "../domain/time.ts";
import { maxStoredSize } from "./zstd_chunk.ts";

/** 16 MiB of manifest hold the chunk list of about 600 GiB. */
export const maxManifestBytes = 16 * 1024 * 1024;
const maxFiles = 4096;
const maxChunks = 1 << 20;

const digest = text(sha256Hex, "64 lowercase hex digits");
const label = text(/^[\x21-\x7e]{1,128}$/, "1 to 128 printable ASCII characters");

const name: Shape<string> = (value, place) => {
  if (typeof value === "string" && isName(value)) return value;
  throw new ShapeFault(place, "is not a name");
};

const created: Shape<string> = (value, place) => {
  if (typeof value === "string" && createdSeconds(value) !== undefined) return value;
  throw new ShapeFault(place, "is not a time YYYY-MM-DDTHH:MM:SSZ from 1980 to 2107");
};

/**
 * Names beside the listed files, permanently or while a bundle is replaced, in any case: a file
 * with such a name would be lost or misread. No export creates one.
 */
const ownNames = [manifestName, attestationName, hmacName, oldManifestName].map(folded);

/** Files are beside the manifest: a safe path of one part. */
const fileName: Shape<string> = (value, place) => {
  if (typeof value !== "string") throw new ShapeFault(place, "is not a string");
  const fault = value.includes("/") ? "it names another directory" : pathFault(value);
  if (fault !== undefined) throw new ShapeFault(place, `${shown(value)} cannot be used: ${fault}`);
  const isOwn = ownNames.includes(folded(value)) || /\.(sigstore|hmac)\.json$/.test(value) ||
    value.startsWith(".stella-");
  if (isOwn) throw new ShapeFault(place, `${shown(value)} cannot be listed in the manifest`);
  return value;
};

const chunk = object({ size: integer(0), sha256: digest }, {});
const volume = object({ index: integer(1, 999), of: integer(1, 999) }, {});

const file = object({
  path: fileName,
  role: oneOf("archive", "document", "index", "program", "script"),
  size: integer(0),
  sha256: digest,
}, {
  mediaType: oneOf(mediaTypes.tar, mediaTypes.tarZstd),
  executable: oneOf(true),
  uncompressedSize: integer(0),
  chunkSize: oneOf(chunkSize),
  chunks: array(chunk, maxChunks),
  volume,
});

const manifest = object({
  schemaVersion: oneOf(1),
  mediaType: oneOf(mediaTypes.manifest),
  profile: name,
  tenant: name,
  created,
  tool: object({ name: label, version: label, commit: label }, {}),
  payload: object({
    layout: oneOf("archive", "directory"),
    index: oneOf(indexName),
    files: integer(1),
    bytes: integer(0),
  }, { base: digest }),
  files: array(file, maxFiles),
}, { sequence: integer(1) });

/** @param bytes as signed @throws StellaError manifest, with the location of the first fault */
export function readManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > maxManifestBytes) {
    refuse(`it has ${bytes.length} bytes, more than ${maxManifestBytes}`);
  }
  try {
    const read: Manifest = manifest(parseStrict(bytes), "");
    checkFiles(read);
    if (!Buffer.from(bytes).equals(encodeManifest(read))) {
      refuse("its bytes are not in the one encoding of the format (key order, spaces, escapes)");
    }
    return read;
  } catch (error) {
    if (error instanceof JsonFault || error instanceof ShapeFault) refuse(error.message);
    throw error;
  }
}

function refuse(reason: string): never {
  throw new StellaError("manifest_invalid", `Cannot read the manifest: ${reason}`, {
    hint: "get the bundle again, or use the version of stella that the manifest's tool names",
  });
}

function checkFiles(read: Manifest): void {
  const { files, payload } = read;
  for (let i = 1; i < files.length; i++) {
    if (comparePaths(files[i - 1]!.path, files[i]!.path) >= 0) {
      throw new ShapeFault(`files[${i}].path`, "is not after the one before it in bytewise order");
    }
  }
  checkCaseCollisions(read);
  const indexes = files.filter((f) => f.role === "index");
  if (indexes.length !== 1 || indexes[0]?.path !== payload.index) {
    throw new ShapeFault("files", `does not hold exactly one index named ${indexName}`);
  }
  checkArchives(files, payload.layout === "archive");
}

/** Refuses names that a case-insensitive or normalizing file system cannot tell apart. */
function checkCaseCollisions({ files, payload }: Manifest): void {
  const seen = new Map(payload.layout === "directory" ? [["payload", "payload"]] : []);
  files.forEach(({ path }, i) => {
    const other = seen.get(folded(path));
    if (other !== undefined) {
      const fault = `differs from ${shown(other)} only by case or Unicode form`;
      throw new ShapeFault(`files[${i}].path`, fault);
    }
    seen.set(folded(path), path);
  });
}

function checkArchives(files: BundleFile[], expected: boolean): void {
  const archives = files.filter((f) => f.role === "archive");
  if ((archives.length > 0) !== expected) {
    const fault = expected ? "has no archive" : "has an archive beside a directory";
    throw new ShapeFault("files", fault);
  }
  if (archives.length > 1 && archives.some((a) => a.volume === undefined)) {
    throw new ShapeFault("files", "has two archives that are not volumes");
  }
  files.forEach((file, i) => {
    const place = `files[${i}]`;
    if (file.role === "archive") return checkArchive(file, archives, place);
    if (file.mediaType ?? file.uncompressedSize ?? file.chunkSize ?? file.chunks ?? file.volume) {
      const fault = `has an archive's fields, but is a file of the role ${file.role}`;
      throw new ShapeFault(place, fault);
    }
  });
}

function checkArchive(file: BundleFile, archives: BundleFile[], place: string): void {
  const { chunks, uncompressedSize: bytes } = file;
  if (!file.mediaType || !file.chunkSize || !chunks || bytes === undefined) {
    throw new ShapeFault(place, "lacks mediaType, uncompressedSize, chunkSize or chunks");
  }
  if (bytes % blockSize !== 0) {
    throw new ShapeFault(`${place}.uncompressedSize`, `is not whole tar blocks of ${blockSize}`);
  }
  if (file.mediaType !== archives[0]?.mediaType) {
    throw new ShapeFault(`${place}.mediaType`, "differs from the first volume's");
  }
  if (chunks.length !== Math.ceil(bytes / chunkSize)) {
    const fault = `does not cut ${bytes} bytes into pieces of ${chunkSize}`;
    throw new ShapeFault(`${place}.chunks`, fault);
  }
  if (chunks.reduce((sum, one) => sum + one.size, 0) !== file.size) {
    throw new ShapeFault(`${place}.chunks`, `does not add up to the size ${file.size}`);
  }
  checkStored(file, chunks, place);
  if (file.volume !== undefined) checkVolume(file, archives, place);
}

/** A compressed chunk fits what compressChunk writes; a plain one has its exact length. */
function checkStored(file: BundleFile, chunks: { size: number }[], place: string): void {
  chunks.forEach((one, i) => {
    const length = Math.min(chunkSize, file.uncompressedSize! - i * chunkSize);
    const plain = file.mediaType === mediaTypes.tar;
    if (plain ? one.size !== length : one.size > maxStoredSize(length) || one.size < 1) {
      throw new ShapeFault(`${place}.chunks[${i}].size`, `does not fit a piece of ${length} bytes`);
    }
  });
}

function checkVolume(file: BundleFile, archives: BundleFile[], place: string): void {
  const { index, of } = file.volume!;
  const number = String(index).padStart(3, "0");
  if (of !== archives.length || archives[index - 1] !== file || !file.path.endsWith(`.${number}`)) {
    throw new ShapeFault(`${place}.volume`, "is out of order, or the number of volumes differs");
  }
  if (index < of && file.uncompressedSize! % chunkSize !== 0) {
    throw new ShapeFault(`${place}.uncompressedSize`, "does not end at a chunk's border");
  }
}
