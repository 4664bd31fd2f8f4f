/** The files of a provider: found, sorted, and each read once while its digest is taken. */
import type { Hash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { ioError, messageOf, StellaError } from "../errors.ts";
import { startSha256 } from "../bundle/hash.ts";
import { encodeIndexLine } from "../bundle/index_file.ts";
import { comparePaths } from "../bundle/paths.ts";
import { type ByteReader, directorySource, openRegular } from "../bundle/source.ts";
import { folderOf, type Original, type Provider, type Sink } from "./provider.ts";

const blockSize = 64 * 1024;
/** A JSON file is parsed whole; the largest real one, the KEV catalog, has 2 MB. */
const largestJson = 64 * 1024 * 1024;

/** Paths below the provider's own, sorted bytewise; a lone file is its own name. @throws StellaError usage, media */
export async function listFiles(provider: Provider): Promise<{ root: string; paths: string[] }> {
  const path = resolve(provider.path);
  const [root, name] = [dirname(path), basename(path)];
  if (!isDirectory(path)) return { root, paths: [name] };
  const paths: string[] = [];
  for await (const found of directorySource(root).walk!(name)) {
    // What is no regular file has been refused by the export's plan already.
    if (found.fault === undefined) paths.push(found.path.slice(name.length + 1));
  }
  return { root: path, paths: paths.sort(comparePaths) };
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw ioError("Cannot read the provider's data", path, error);
  }
}

/** The digest of all files of a provider: sha256 over their lines of SHA256SUMS, as the export of them will write these. */
export class OriginalsDigest {
  readonly #lines = startSha256();
  files = 0;
  bytes = 0;

  constructor(readonly provider: Provider) {}

  /** Opens the next file; the digest goes on when `done` is called. */
  open(root: string, path: string): { file: Original; done(): void } {
    const reader = openRegular(root, path);
    if (reader === undefined) throw gone(path);
    const hash = startSha256();
    const file = { path, size: reader.size, blocks: () => blocksOf(reader, hash) };
    return { file, done: () => this.#done(path, reader, hash) };
  }

  digest(): string {
    return this.#lines.digest("hex");
  }

  /** Reads what the parser left. */
  #done(path: string, reader: ByteReader, hash: Hash): void {
    for (const _ of blocksOf(reader, hash));
    reader.close();
    this.files++;
    this.bytes += reader.size;
    const full = `${folderOf(this.provider)}/${path}`;
    this.#lines.update(encodeIndexLine({ path: full, sha256: hash.digest("hex") }));
  }
}

/** One buffer for all: thousands of small files would otherwise leave as many behind. */
const buffer = new Uint8Array(blockSize);

/** A file's reader is synchronous; those of other sources are not used here. */
function* blocksOf(reader: ByteReader, hash: Hash): Generator<Uint8Array> {
  for (let n = reader.read(buffer) as number; n > 0; n = reader.read(buffer) as number) {
    const block = buffer.subarray(0, n);
    hash.update(block);
    yield block;
  }
}

function gone(path: string): StellaError {
  return new StellaError("usage", `Cannot read ${JSON.stringify(path)}: it is gone`, {
    hint: "export a snapshot, or run it again when nothing writes there",
  });
}

/** The file as JSON; undefined after it was called bad. */
export function readJson(file: Original, sink: Sink): unknown {
  if (file.size > largestJson) {
    return void sink.bad(file.path, `is larger than ${largestJson} bytes`);
  }
  const bytes = new Uint8Array(file.size);
  let at = 0;
  for (const block of file.blocks()) {
    // A file that grows is found out by the export; here it is only cut.
    bytes.set(block.subarray(0, file.size - at), at);
    at += block.length;
  }
  try {
    const utf8 = new TextDecoder("utf-8", { fatal: true });
    return JSON.parse(utf8.decode(bytes.subarray(0, at)));
  } catch (error) {
    return void sink.bad(file.path, `is not JSON: ${messageOf(error)}`);
  }
}
