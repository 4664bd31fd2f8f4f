/**
 * The payload on its way into the bundle: each file is read once, its digest goes into the index and its bytes into the archive
 * (or below `payload/`). Small files are left to the workers that fill the archive's chunks, the others are read here.
 */
import type { Hash } from "node:crypto";
import { join } from "node:path";
import type { Finding } from "../domain/errors.ts";
import type { ChunkPool } from "../bundle/chunk_pool.ts";
import { sha256, startSha256 } from "../domain/hash.ts";
import { encodeIndexLine } from "../bundle/index_file.ts";
import {
  inputChanged,
  type InputFile,
  inputsChanged,
  type OpenInput,
  openInput,
  readWhole,
} from "../bundle/input_file.ts";
import { type BundleFile, type Compression, indexName, type Layout } from "../bundle/manifest.ts";
import type { PrivateFiles } from "../bundle/private_files.ts";
import { IndexWriter } from "./index_writer.ts";
import { archivePayload, FilesPayload, type Payload, readLength } from "./payload.ts";
import { PendingLines } from "../output/pending_lines.ts";
import { type OriginStat, type Plan, statOrigin } from "./plan.ts";
import { walk, type WalkedFile } from "./sources/walk.ts";

export interface PackOptions {
  plan: Plan;
  /** An empty directory of this export's own. */
  directory: string;
  profile: string;
  layout: Layout;
  compression: Compression;
  volumeSize?: number;
  pool: ChunkPool;
  /** None of these is read. */
  privateFiles: PrivateFiles;
  progress: (bytes: number) => void;
  /** Gets the first bytes of each file that is not empty, once and in order. */
  seen?: ((path: string, head: Uint8Array) => void) | undefined;
  /** Awaited now and then, so that signals and timers of the process get their turn. @throws to stop */
  yieldToEventLoop: () => Promise<void>;
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
  readonly #lines = new PendingLines(({ path, source }, sha256) => {
    const line = encodeIndexLine({ path, sha256 });
    this.#index.add(line);
    this.#digests[source]!.update(line);
  });
  #files = 0;
  #bytes = 0;
  #newest = 0;

  constructor(readonly options: PackOptions) {
    const { plan, layout } = options;
    this.#digests = plan.sources.map(() => startSha256());
    this.#index = new IndexWriter(join(options.directory, indexName));
    this.#payload = layout === "archive"
      ? archivePayload(options, (digests) => this.#lines.digested(digests))
      : new FilesPayload(options);
  }

  async run(): Promise<Packed> {
    const { plan, yieldToEventLoop: yieldToEventLoop } = this.options;
    let waited = Date.now();
    for (const file of walk(plan.tree, changedWhere)) {
      const { source } = file.origin;
      // Its digest may come while it is written: so its line waits already.
      const settle = this.#lines.add({ path: file.path, source });
      // A promise for each of a million files that need none would cost a tenth of the export.
      const seen = this.#look(file);
      const begun = this.#payload.begin(file.path, seen.size, seen.executable);
      if (begun !== undefined) await begun;
      if (!this.#isDeferred(seen.input)) settle(await this.#content(file, seen.input));
      const ended = this.#payload.end(seen.size);
      if (ended !== undefined) await ended;
      if (Date.now() - waited > 50) {
        await yieldToEventLoop();
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
      throw inputsChanged(
        `${files} files of ${bytes} bytes are now ${this.#files} of ${this.#bytes}`,
      );
    }
    if (this.#newest !== newest) throw inputsChanged("one was written after the export began");
  }

  close(): void {
    this.#payload.abort();
    this.#index.close();
  }

  async #packed(): Promise<Packed> {
    const { expected } = this.options.plan;
    // The lines of the last files come with the last chunk.
    const payload = await this.#payload.finish();
    const sources = this.options.plan.sources.map((name, i) => ({
      name,
      sha256: this.#digests[i]!.digest("hex"),
    }));
    const other = sources.find(({ sha256 }, i) => (expected[i] ?? sha256) !== sha256);
    if (other !== undefined) throw inputsChanged(`those of ${other.name} are not what was checked`);
    return { files: [this.#index.finish(), ...payload], sources };
  }

  #look({ origin }: WalkedFile): OriginStat {
    const seen = statOrigin(origin);
    this.#files++;
    this.#bytes += seen.size;
    this.#newest = Math.max(this.#newest, seen.mtime);
    return seen;
  }

  /** Whether the file is left to the workers, and its digest comes later. */
  #isDeferred(input: InputFile | undefined): boolean {
    // Without workers nothing is gained, and who wants to see the first bytes has them read here.
    const canDefer = this.options.pool.depth > 0 && this.options.seen === undefined;
    if (input === undefined || !canDefer || !this.#payload.defer?.(input)) return false;
    // It is read within the next few chunks.
    this.options.progress(input.size);
    return true;
  }

  async #content({ path, origin }: WalkedFile, input: InputFile | undefined): Promise<string> {
    if ("bytes" in origin) return await this.#copyBytes(path, origin.bytes);
    return await this.#copyFile(path, input!);
  }

  async #copyBytes(name: string, bytes: Uint8Array): Promise<string> {
    if (bytes.length > 0) this.options.seen?.(name, bytes);
    for (let at = 0; at < bytes.length;) {
      const writable = this.#payload.writable();
      const part = bytes.subarray(at, at + writable.length);
      writable.set(part);
      await this.#payload.advance(part.length);
      at += part.length;
    }
    this.options.progress(bytes.length);
    return sha256(bytes);
  }

  async #copyFile(name: string, input: InputFile): Promise<string> {
    const writable = this.#payload.writable();
    if (input.size <= Math.min(writable.length, readLength)) {
      return await this.#copySmall(name, input, writable.subarray(0, input.size));
    }
    const file = openInput(input, this.options.privateFiles);
    try {
      file.assertSame();
      const digest = await this.#copyOpen(file, name, input);
      file.assertSame();
      return digest;
    } finally {
      file.close();
    }
  }

  async #copySmall(name: string, input: InputFile, view: Uint8Array): Promise<string> {
    readWhole(view, input, this.options.privateFiles);
    const digest = sha256(view);
    if (view.length > 0) this.options.seen?.(name, view);
    await this.#payload.advance(view.length);
    this.options.progress(view.length);
    return digest;
  }

  async #copyOpen(file: OpenInput, name: string, input: InputFile): Promise<string> {
    const hash = startSha256();
    let waited = Date.now();
    for (let left = input.size; left > 0;) {
      const writable = this.#payload.writable();
      const view = writable.subarray(0, Math.min(writable.length, left, readLength));
      const n = file.read(view);
      if (n === 0) throw inputChanged(input.path);
      hash.update(view.subarray(0, n));
      if (left === input.size) this.options.seen?.(name, view.subarray(0, n));
      await this.#payload.advance(n);
      this.options.progress(n);
      left -= n;
      if (left > 0 && Date.now() - waited > 50) {
        await this.options.yieldToEventLoop();
        waited = Date.now();
      }
    }
    return hash.digest("hex");
  }
}

function changedWhere({ path = "" }: Finding): never {
  throw inputChanged(path);
}
