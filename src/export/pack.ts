/**
 * The payload on its way into the bundle: each file is read once, its digest goes into the index and its bytes into the archive
 * (or below `payload/`). A file that changes while it is read is an error, never a bundle that differs from its source.
 */
import type { Hash } from "node:crypto";
import { join } from "node:path";
import { ioError, StellaError } from "../errors.ts";
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import { sha256, startSha256 } from "../bundle/hash.ts";
import { encodeIndexLine } from "../bundle/index_file.ts";
import { type BundleFile, type Compression, indexName, type Layout } from "../bundle/manifest.ts";
import { shown } from "../bundle/names.ts";
import { IndexWriter } from "./index_writer.ts";
import { archivePayload, FilesPayload, type Payload, readLength } from "./payload.ts";
import { type OriginStat, type Plan, statOrigin } from "./plan.ts";
import { walk, type WalkedFile } from "./walk.ts";

export interface PackOptions {
  plan: Plan;
  /** An empty directory of this export's own. */
  directory: string;
  profile: string;
  layout: Layout;
  compression: Compression;
  volumeSize?: number;
  pool: ChunkPool;
  progress: (bytes: number) => void;
  /** Gets the first bytes of each file that is not empty, once and in order. */
  seen?: ((path: string, head: Uint8Array) => void) | undefined;
  /** Awaited now and then, so that signals and timers of the process get their turn. @throws to stop */
  breathe: () => Promise<void>;
}

export interface Packed {
  /** The index and the archive or its volumes. */
  files: BundleFile[];
  /** Digest per source over its lines of the index. */
  sources: { name: string; sha256: string }[];
}

export async function pack(options: PackOptions): Promise<Packed> {
  const packer = new Packer(options);
  try {
    return await packer.run();
  } finally {
    packer.close();
  }
}

class Packer {
  readonly #payload: Payload;
  readonly #index: IndexWriter;
  readonly #digests: Hash[];
  #files = 0;
  #bytes = 0;
  #newest = 0;

  constructor(readonly options: PackOptions) {
    const { plan, layout } = options;
    this.#digests = plan.sources.map(() => startSha256());
    this.#index = new IndexWriter(join(options.directory, indexName));
    this.#payload = layout === "archive" ? archivePayload(options) : new FilesPayload(options);
  }

  async run(): Promise<Packed> {
    const { plan, breathe } = this.options;
    let waited = Date.now();
    for (const file of walk(plan.tree, (finding) => this.#changed(finding.path ?? ""))) {
      const digest = await this.#file(file);
      const line = encodeIndexLine({ path: file.path, sha256: digest });
      this.#index.add(line);
      this.#digests[file.origin.source]!.update(line);
      if (Date.now() - waited > 50) {
        await breathe();
        waited = Date.now();
      }
    }
    this.#checkPlan();
    return await this.#packed();
  }

  /** Against what the plan saw: a file that was written since then would make `created` a time that no second export finds. */
  #checkPlan(): void {
    const { files, bytes, newest } = this.options.plan;
    if (this.#files !== files || this.#bytes !== bytes) {
      throw changed(`${files} files of ${bytes} bytes are now ${this.#files} of ${this.#bytes}`);
    }
    if (this.#newest !== newest) throw changed("one was written after the export began");
  }

  close(): void {
    this.#payload.abort();
    this.#index.close();
  }

  async #packed(): Promise<Packed> {
    const { expected } = this.options.plan;
    const sources = this.options.plan.sources.map((name, i) => ({
      name,
      sha256: this.#digests[i]!.digest("hex"),
    }));
    const other = sources.find(({ sha256 }, i) => (expected[i] ?? sha256) !== sha256);
    if (other !== undefined) throw changed(`those of ${other.name} are not what was checked`);
    return { files: [this.#index.finish(), ...await this.#payload.finish()], sources };
  }

  async #file({ path, origin }: WalkedFile): Promise<string> {
    const seen = statOrigin(origin);
    this.#files++;
    this.#bytes += seen.size;
    this.#newest = Math.max(this.#newest, seen.mtime);
    await this.#payload.begin(path, seen.size, seen.executable);
    const digest = "bytes" in origin
      ? await this.#copyBytes(path, origin.bytes)
      : await this.#copyFile(path, origin.file, seen);
    await this.#payload.end(seen.size);
    return digest;
  }

  async #copyBytes(name: string, bytes: Uint8Array): Promise<string> {
    if (bytes.length > 0) this.options.seen?.(name, bytes);
    for (let at = 0; at < bytes.length;) {
      const room = this.#payload.room();
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      await this.#payload.advance(part.length);
      at += part.length;
    }
    this.options.progress(bytes.length);
    return sha256(bytes);
  }

  async #copyFile(name: string, path: string, seen: OriginStat): Promise<string> {
    const file = openSame(path, seen);
    try {
      const digest = await this.#copyOpen(file, name, path, seen.size);
      const after = file.statSync();
      const touched = after.mtime?.getTime() !== seen.stat!.mtime?.getTime();
      if (after.size !== seen.size || touched) this.#changed(path);
      return digest;
    } finally {
      file.close();
    }
  }

  async #copyOpen(
    file: Deno.FsFile,
    name: string,
    path: string,
    size: number,
  ): Promise<string> {
    const hash = startSha256();
    let waited = Date.now();
    for (let left = size; left > 0;) {
      const room = this.#payload.room();
      const view = room.subarray(0, Math.min(room.length, left, readLength));
      const n = read(file, view, path);
      if (n === 0) this.#changed(path);
      hash.update(view.subarray(0, n));
      if (left === size) this.options.seen?.(name, view.subarray(0, n));
      await this.#payload.advance(n);
      this.options.progress(n);
      left -= n;
      if (left > 0 && Date.now() - waited > 50) {
        await this.options.breathe();
        waited = Date.now();
      }
    }
    return hash.digest("hex");
  }

  #changed(path: string): never {
    throw changed(`${shown(path)} is not what it was when the export began`);
  }
}

function changed(what: string): StellaError {
  return new StellaError(
    "usage",
    `Cannot export: the inputs changed while they were read: ${what}`,
    {
      hint: "export a snapshot, or run it again when nothing writes there",
    },
  );
}

function read(file: Deno.FsFile, buffer: Uint8Array, path: string): number {
  try {
    return file.readSync(buffer) ?? 0;
  } catch (error) {
    throw ioError("Cannot read", path, error);
  }
}

/** Opens a file that is still the regular file that was looked at; a link in its place is never read. */
function openSame(path: string, seen: OriginStat): Deno.FsFile {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    throw ioError("Cannot open", path, error);
  }
  const now = file.statSync();
  if (now.isFile && now.dev === seen.stat!.dev && now.ino === seen.stat!.ino) return file;
  file.close();
  throw changed(`${shown(path)} was exchanged`);
}
