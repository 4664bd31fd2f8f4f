/**
 * Single files of a payload, read without the rest: of an archive by offset, whatever its volumes
 * and compression, of a directory by name. Where the entries of an archive lie follows from the
 * index and their sizes; each header is compared with the one that stella writes.
 *
 * Only the index is verified here. Content is the caller's: it has to match a digest.
 */
import { Buffer } from "node:buffer";
import { StellaError } from "../domain/errors.ts";
import { sha256, startSha256 } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import { createdSeconds } from "../domain/time.ts";
import { type IndexEntry, IndexFault, IndexParser } from "./index_file.ts";
import { type BundleFile, chunkSize, indexName, type Manifest, mediaTypes } from "./manifest.ts";
import { headerLength, matchHeader } from "./match_header.ts";
import type { BundleSource, ByteReader } from "./source.ts";
import { blockSize, encodeHeader, paddingOf } from "./tar_header.ts";
import { decompressChunk } from "./zstd_chunk.ts";

/** Sizes of payload files by path, where the bundle states them. */
export type KnownSizes = ReadonlyMap<string, number>;

/** The payload as a source of files by their path in it. @throws StellaError about the index */
export async function openPayload(
  source: BundleSource,
  manifest: Manifest,
  sizes: KnownSizes = new Map(),
): Promise<BundleSource> {
  const { name } = source;
  if (manifest.payload.layout === "directory") {
    const listed = new Set<string>();
    await readIndex(source, manifest, ({ path }) => void listed.add(path));
    const open = (path: string) => listed.has(path) ? source.open(`payload/${path}`) : undefined;
    return { name, open };
  }
  const archive = new ArchiveBytes(source, manifest.files.filter(({ role }) => role === "archive"));
  const entries = new Entries(archive, createdSeconds(manifest.created) ?? 0, sizes);
  try {
    await readIndex(source, manifest, (entry) => entries.add(entry));
  } finally {
    archive.close();
  }
  return { name, open: (path) => entries.open(path, archive.again()) };
}

const indexBlock = 256 * 1024;

async function readIndex(
  source: BundleSource,
  { files }: Manifest,
  take: (entry: IndexEntry) => void | Promise<void>,
): Promise<void> {
  const file = files.find(({ role }) => role === "index");
  const reader = file && await source.open(file.path);
  if (file === undefined || reader === undefined) {
    throw new StellaError("file_missing", `Cannot read ${shown(indexName)}: not found`, {
      hint: "copy it here: the manifest lists it",
    });
  }
  const hash = startSha256();
  const parser = new IndexParser();
  const block = new Uint8Array(indexBlock);
  try {
    for (let left = file.size + 1; left > 0;) {
      const n = await reader.read(block.subarray(0, left));
      if (n === 0) break;
      left -= n;
      hash.update(block.subarray(0, n));
      parser.push(block.slice(0, n));
      for (let entry = parser.next(); entry !== undefined; entry = parser.next()) await take(entry);
    }
    parser.end();
  } catch (error) {
    throw error instanceof IndexFault ? unreadable(error, file.path) : error;
  } finally {
    reader.close();
  }
  if (hash.digest("hex") === file.sha256) return;
  throw new StellaError("digest_mismatch", `Cannot use ${shown(file.path)}: it was changed`, {
    hint: "copy the file again from an intact copy: it was changed after signing",
  });
}

function unreadable({ line, reason, unsafe }: IndexFault, path: string): StellaError {
  const what = `Cannot read ${shown(path)}: line ${line}: ${reason}`;
  return new StellaError(unsafe ? "entry_path" : "index_malformed", what, {
    hint: "get the bundle again: the index is not as stella writes it",
  });
}

interface Location {
  /** Of the header. */
  offset: number;
  /** Undefined until the header is read. */
  size: number;
}

/** Where the entries of an archive lie. */
class Entries {
  readonly #locations = new Map<string, Location>();
  #offset = 0;
  /** Why the entries from here on cannot be found. */
  #lost: StellaError | undefined;
  readonly #unknown = new Set<string>();

  constructor(
    readonly archive: ArchiveBytes,
    readonly mtime: number,
    readonly sizes: KnownSizes,
  ) {}

  /** Called in the order of the index. */
  async add({ path }: IndexEntry): Promise<void> {
    const offset = this.#offset;
    const located = this.#lost === undefined ? await this.#located(path, offset) : undefined;
    if (located === undefined) return void this.#unknown.add(path);
    this.#locations.set(path, { offset, size: located.size });
    this.#offset += located.header + located.size + paddingOf(located.size);
  }

  async open(path: string, archive: ArchiveBytes): Promise<ByteReader | undefined> {
    const location = this.#locations.get(path);
    if (location === undefined) {
      if (this.#lost !== undefined && this.#unknown.has(path)) throw this.#lost;
      return undefined;
    }
    try {
      const { header, size } = await this.#readHeader(path, location.offset, archive);
      if (size !== location.size) throw headerDiffers(path);
      return readerAt(archive, location.offset + header, size);
    } catch (error) {
      archive.close();
      throw error;
    }
  }

  async #located(path: string, offset: number) {
    const size = this.sizes.get(path);
    if (size !== undefined) {
      return { header: encodeHeader({ path, size, mode: 0o644, mtime: this.mtime }).length, size };
    }
    try {
      return await this.#readHeader(path, offset, this.archive);
    } catch (error) {
      if (!(error instanceof StellaError)) throw error;
      this.#lost = error;
      return undefined;
    }
  }

  async #readHeader(path: string, offset: number, archive: ArchiveBytes) {
    const first = new Uint8Array(blockSize);
    await archive.read(first, offset);
    const header = Buffer.alloc(headerLength(first));
    await archive.read(header, offset);
    const entry = matchHeader(header, path, this.mtime);
    if (entry === undefined) throw headerDiffers(path);
    return { header: header.length, size: entry.size };
  }
}

function headerDiffers(path: string): StellaError {
  const what = `Cannot read ${shown(path)}: the archive has another header there`;
  return new StellaError("header_differs", what, {
    hint: "copy the archive again from an intact copy: it was changed after signing",
  });
}

function readerAt(archive: ArchiveBytes, start: number, size: number): ByteReader {
  let at = 0;
  return {
    size,
    async read(buffer) {
      const part = buffer.subarray(0, Math.min(buffer.length, size - at));
      await archive.read(part, start + at);
      at += part.length;
      return part.length;
    },
    close: () => archive.close(),
  };
}

/** The tar of an archive by offset, over all volumes; one of them is open at a time. */
class ArchiveBytes {
  #open: { file: BundleFile; reader: ByteReader } | undefined;
  #chunk: { file: BundleFile; index: number; bytes: Uint8Array } | undefined;

  constructor(readonly source: BundleSource, readonly volumes: readonly BundleFile[]) {}

  /** The same archive for another reader. */
  again(): ArchiveBytes {
    return new ArchiveBytes(this.source, this.volumes);
  }

  /** Fills `buffer` with the bytes from `offset` on. @throws StellaError */
  async read(buffer: Uint8Array, offset: number): Promise<void> {
    for (let filled = 0; filled < buffer.length;) {
      const { file, from, size } = this.#volumeAt(offset + filled);
      const left = size - from;
      const part = buffer.subarray(filled, filled + Math.min(left, buffer.length - filled));
      if (file.mediaType === mediaTypes.tar) await this.#readStored(file, part, from);
      else await this.#readDecoded(file, part, from);
      filled += part.length;
    }
  }

  close(): void {
    this.#open?.reader.close();
    this.#open = undefined;
  }

  #volumeAt(offset: number): { file: BundleFile; from: number; size: number } {
    let from = offset;
    for (const file of this.volumes) {
      const size = file.uncompressedSize ?? 0;
      if (from < size) return { file, from, size };
      from -= size;
    }
    throw new StellaError("truncated", "Cannot read the archive: it ends before its last file", {
      hint: "report this to the sender of the bundle: manifest and index disagree",
    });
  }

  async #readDecoded(file: BundleFile, part: Uint8Array, from: number): Promise<void> {
    for (let filled = 0; filled < part.length;) {
      const at = from + filled;
      const bytes = await this.#decoded(file, Math.floor(at / chunkSize));
      const piece = bytes.subarray(at % chunkSize).subarray(0, part.length - filled);
      part.set(piece, filled);
      filled += piece.length;
    }
  }

  async #decoded(file: BundleFile, index: number): Promise<Uint8Array> {
    if (this.#chunk?.file === file && this.#chunk.index === index) return this.#chunk.bytes;
    const { chunks = [], uncompressedSize = 0 } = file;
    const stored = new Uint8Array(chunks[index]?.size ?? 0);
    const from = chunks.slice(0, index).reduce((sum, one) => sum + one.size, 0);
    await this.#readStored(file, stored, from);
    if (sha256(stored) !== chunks[index]?.sha256) throw changed(file);
    const size = Math.min(chunkSize, uncompressedSize - index * chunkSize);
    let bytes: Uint8Array;
    try {
      bytes = decompressChunk(stored, size);
    } catch (cause) {
      const what = `Cannot read ${shown(file.path)}: a chunk cannot be decoded`;
      throw new StellaError("chunk_not_decodable", what, { cause });
    }
    this.#chunk = { file, index, bytes };
    return bytes;
  }

  async #readStored(file: BundleFile, part: Uint8Array, from: number): Promise<void> {
    const reader = await this.#reader(file);
    if (reader.readAt === undefined) throw notSeekable(this.source);
    if (reader.readAt(part, from) === part.length) return;
    throw new StellaError("truncated", `Cannot read ${shown(file.path)}: it is incomplete`, {
      hint: "copy the file again: the copy is incomplete",
    });
  }

  async #reader(file: BundleFile): Promise<ByteReader> {
    if (this.#open?.file === file) return this.#open.reader;
    this.close();
    const reader = await this.source.open(file.path);
    if (reader === undefined) throw absent(file);
    this.#open = { file, reader };
    return reader;
  }
}

function absent({ path, volume }: BundleFile): StellaError {
  const reason = volume === undefined ? "file_missing" : "volume_missing";
  return new StellaError(reason, `Cannot read ${shown(path)}: not found`, {
    hint: "copy it here, or name its directory with --volumes",
  });
}

function changed({ path }: BundleFile): StellaError {
  return new StellaError("digest_mismatch", `Cannot use ${shown(path)}: it was changed`, {
    hint: "copy the file again from an intact copy: it was changed after signing",
  });
}

function notSeekable({ name }: BundleSource): StellaError {
  return new StellaError("defect", `Cannot read ${shown(name)} by offset`);
}
