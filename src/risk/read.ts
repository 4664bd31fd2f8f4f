/** Finds, sorts and reads the files of a provider, each once, and computes their digest. */
import type { Hash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { startSha256 } from "../domain/hash.ts";
import { encodeIndexLine } from "../bundle/index_file.ts";
import { carriedPath } from "../bundle/carried_names.ts";
import { asInput, openInput, statFolder, statInput } from "../bundle/input_file.ts";
import { comparePaths } from "../domain/paths.ts";
import type { PrivateFiles } from "../bundle/private_files.ts";
import { directorySource } from "../bundle/source.ts";
import { type Keep, type ReadLimits, readSelected, RecordFault, selected } from "./json_reader.ts";
import {
  defaultMaxRecordBytes,
  folderOf,
  type Original,
  type Provider,
  type ProviderKind,
  type Sink,
} from "./provider.ts";
import type { Check } from "./schema.ts";

const blockSize = 64 * 1024;
/** The KEV catalog, the largest file, has 20,000 values. */
const ordinary: ReadLimits = { values: 1 << 20, characters: 16 * 1024 * 1024 };
const maxFaults = 100;
/** The syntax tree of YAML takes about two hundred times the memory of the text. */
const maxYamlBytes = 1024 * 1024;

export interface ListedFile {
  /** Relative to the provider's path; the name of a single file. */
  path: string;
  carried: string;
}

/** The provider's files in payload order. @throws StellaError usage, io */
export async function listFiles(
  provider: Provider,
): Promise<{ root: string; files: ListedFile[]; isAlone: boolean }> {
  const path = resolve(provider.path);
  const [root, name] = [dirname(path), basename(path)];
  const stat = tryIo("Cannot read the provider's data", path, () => statSync(path));
  if (!stat.isDirectory()) {
    return { root, files: [{ path: name, carried: carriedPath(name) }], isAlone: true };
  }
  const files: ListedFile[] = [];
  for await (const found of directorySource(root).walk!(name)) {
    // The export's plan has refused everything but regular files.
    if (found.fault !== undefined) continue;
    const below = found.path.slice(name.length + 1);
    files.push({ path: below, carried: carriedPath(below) });
  }
  files.sort((a, b) => comparePaths(a.carried, b.carried));
  return { root: path, files, isAlone: files.length === 1 };
}

/** SHA-256 of the lines of SHA256SUMS of all files of a provider, as the export writes them. */
export class OriginalsDigest {
  readonly #lines = startSha256();
  /** True names by payload names, if they differ. */
  readonly names: Record<string, string> = {};
  files = 0;
  bytes = 0;

  constructor(readonly provider: Provider, readonly privateFiles: PrivateFiles) {}

  /** Opens the next file; `done` adds it to the digest. */
  open(root: string, { path, carried }: ListedFile): { file: Original; done(): void } {
    const full = join(root, path);
    // Opened like the export does later: never a private file, wherever the path leads meanwhile.
    const seen = asInput(full, statInput(full), statFolder(dirname(full)));
    const { read, close } = openInput(seen, this.privateFiles);
    if (carried !== path) this.names[carried] = path;
    const hash = startSha256();
    const blocks = () => blocksOf(read, hash);
    const done = () => {
      // What the parser did not read.
      for (const _ of blocks());
      close();
      this.files++;
      this.bytes += seen.size;
      const payloadPath = `${folderOf(this.provider)}/${carried}`;
      this.#lines.update(encodeIndexLine({ path: payloadPath, sha256: hash.digest("hex") }));
    };
    const { maxRecordBytes = defaultMaxRecordBytes } = this.provider;
    return { file: { path, size: seen.size, blocks, maxRecordBytes }, done };
  }

  digest(): string {
    return this.#lines.digest("hex");
  }
}

/** One buffer for all: thousands of small files would otherwise leave as many. */
const buffer = new Uint8Array(blockSize);

function* blocksOf(read: (buffer: Uint8Array) => number, hash: Hash): Generator<Uint8Array> {
  for (let n = read(buffer); n > 0; n = read(buffer)) {
    const block = buffer.subarray(0, n);
    hash.update(block);
    yield block;
  }
}

/**
 * The part of a record that `check` examines; undefined if it was rejected.
 * @param options.idsOf all ids that an invalid record names; undefined if it may name others
 */
export async function readRecord<Value>(
  file: Original,
  sink: Sink,
  check: Check<Value>,
  { limits = ordinary, idsOf }: {
    limits?: ReadLimits;
    idsOf?: (value: unknown) => string[] | undefined;
  } = {},
): Promise<Value | undefined> {
  let value: unknown;
  try {
    value = await readValue(file, check.keep, limits);
  } catch (error) {
    if (!(error instanceof RecordFault)) throw error;
    return void sink.reject(file, error.message);
  }
  const faults: string[] = [];
  check(value, "", (place, reason) => {
    if (faults.length < maxFaults) faults.push(`${place || "the file"} ${reason}`);
  });
  if (faults.length === 0) return value as Value;
  const ids = idsOf?.(value);
  faults.forEach((fault) => sink.reject(file, fault, ids));
  return undefined;
}

async function readValue(file: Original, keep: Keep, limits: ReadLimits): Promise<unknown> {
  const isYaml = /\.ya?ml$/i.test(file.path);
  const max = isYaml ? Math.min(maxYamlBytes, file.maxRecordBytes) : file.maxRecordBytes;
  if (file.size > max) throw new RecordFault(`is larger than ${max} bytes (maxRecordBytes)`);
  if (isYaml) {
    // Most providers have no YAML, so it is loaded on demand.
    const { readYaml } = await import("./yaml_reader.ts");
    return readYaml(wholeFile(file), keep, limits);
  }
  // Most records are small, and JSON.parse is the fastest; a larger file is read block by block.
  return file.size <= blockSize
    ? selected(parseJson(wholeFile(file)), keep, limits)
    : readSelected(file.blocks(), keep, limits);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new RecordFault(`is not JSON: ${messageOf(error)}`);
  }
}

function wholeFile(file: Original): Uint8Array {
  const bytes = new Uint8Array(file.size);
  let at = 0;
  for (const block of file.blocks()) {
    // The export detects a file that grows; here it is only cut.
    bytes.set(block.subarray(0, file.size - at), at);
    at += block.length;
  }
  return bytes.subarray(0, at);
}

/** Some providers put checksums, signatures and notes beside records. */
const companion =
  /(?:\.(?:asc|sig|sha256|sha512|md5|md|txt|html?)|(?:^|\/)(?:LICEN[CS]E|changes\.csv|(?:provider-metadata|aggregator|known_exploited_vulnerabilities_schema)\.json))$/i;
const records: Record<ProviderKind, RegExp> = {
  kev: /\.json$/i,
  osv: /\.(?:json|ya?ml)$/i,
  epss: /^/,
  csaf: /\.json$/i,
};

/** How a file of a directory is treated: all are included, but only records are read. */
export function roleOf(kind: ProviderKind, path: string): "record" | "companion" | "unknown" {
  if (companion.test(path)) return "companion";
  return records[kind].test(path) ? "record" : "unknown";
}
