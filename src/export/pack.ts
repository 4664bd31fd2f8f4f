/**
 * Packs the payload: each file is read once, its digest goes into the index and its bytes into the
 * archive (or below `payload/`). Small files are read by the workers that fill the archive's chunks.
 */
import type { Hash } from "node:crypto";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { type Finding, StellaError } from "../domain/errors.ts";
import { type ChunkPool, localPool } from "../bundle/chunk_pool.ts";
import { sha256, startSha256 } from "../domain/hash.ts";
import { HashedFile } from "../domain/hashed_file.ts";
import { encodeIndexLine } from "../bundle/index_file.ts";
import {
  inputChanged,
  type InputFile,
  inputsChanged,
  type OpenInput,
  openInput,
  readWhole,
} from "../bundle/input_file.ts";
import { type BundleFile, indexName } from "../bundle/manifest.ts";
import { throttled } from "../domain/throttled.ts";
import { PendingLines } from "./pending_lines.ts";
import { archivePayload, FilesPayload, type Payload, readLength } from "./payload.ts";
import type { Plan } from "./plan.ts";
import { type OriginStat, type RemoteBlob, statOrigin } from "./sources/inputs.ts";
import type { ExportContext } from "./spec.ts";
import { walk, type WalkedFile } from "./sources/walk.ts";

export interface Packed {
  readonly plan: Plan;
  /** The index and the archive or its volumes. */
  readonly files: readonly BundleFile[];
  /** Digest of the index, which a sequence numbers. */
  readonly state: string;
  /** Digest per source of its lines in the index. */
  readonly sources: readonly { readonly name: string; readonly sha256: string }[];
}

export type PackContext = Pick<
  ExportContext,
  "timing" | "emit" | "yieldToEventLoop" | "workers" | "onFirstBytes"
>;

/** Payload bytes below which starting a worker costs more than it saves. */
const thresholdWorkers = 64 * 1024 * 1024;
/** Opening a file costs as much as reading so many bytes. */
const costOfOpening = 16 * 1024;

/**
 * Reads all planned files once, and writes index and payload into `directory`.
 * @throws StellaError usage if an input changed, unsafe, io
 */
export async function pack(plan: Plan, directory: string, context: PackContext): Promise<Packed> {
  const pool = poolFor(plan, context);
  try {
    return await packWith(pool, plan, directory, context);
  } finally {
    pool.close();
  }
}

/** The same with a pool of the caller, which stays open. */
export async function packWith(
  pool: ChunkPool,
  plan: Plan,
  directory: string,
  context: PackContext,
): Promise<Packed> {
  const packer = new Packer(plan, directory, context, pool);
  return await packer.run().finally(() => packer.close());
}

function poolFor({ spec, bytes, files }: Plan, { workers }: PackContext): ChunkPool {
  const isLarge = spec.layout === "archive" && bytes + files * costOfOpening >= thresholdWorkers;
  return isLarge ? workers?.(true) ?? localPool : localPool;
}

class Packer {
  readonly #payload: Payload;
  readonly #index: HashedFile;
  readonly #digests: Hash[];
  readonly #lines = new PendingLines(({ path, source }, sha256) => {
    const line = encodeIndexLine({ path, sha256 });
    this.#index.add(line);
    this.#digests[source]!.update(line);
  });
  #files = 0;
  #bytes = 0;
  #newest = 0;
  /** Bytes. */
  #read = 0;
  readonly #yield: () => Promise<void> | undefined;

  constructor(
    readonly plan: Plan,
    readonly directory: string,
    readonly context: PackContext,
    readonly pool: ChunkPool,
  ) {
    const { spec, sources } = plan;
    this.#yield = throttled(() => context.yieldToEventLoop(), () => context.timing.now());
    this.#digests = sources.map(() => startSha256());
    this.#index = new HashedFile(join(directory, indexName), 0o644);
    this.#payload = spec.layout === "archive"
      ? archivePayload(plan, directory, pool, (digests) => this.#lines.digested(digests))
      : new FilesPayload(plan, directory);
  }

  async run(): Promise<Packed> {
    for (const file of walk(this.plan.tree, changedWhere)) {
      const { source } = file.origin;
      // The digest may arrive while the file is written, so its line is already pending.
      const settle = this.#lines.add({ path: file.path, source });
      // An unnecessary promise for each of a million files would cost a tenth of the export.
      const seen = this.#look(file);
      const begun = this.#payload.begin(file.path, seen.size, seen.executable);
      if (begun !== undefined) await begun;
      if (!this.#isDeferred(seen.input)) settle(await this.#content(file, seen.input));
      const ended = this.#payload.end(seen.size);
      if (ended !== undefined) await ended;
      const yielded = this.#yield();
      if (yielded !== undefined) await yielded;
    }
    this.#checkPlan();
    return await this.#packed();
  }

  /** If a file changed since, `created` would be a time that a second export does not find. */
  #checkPlan(): void {
    const { files, bytes, newest } = this.plan;
    if (this.#files !== files || this.#bytes !== bytes) {
      const now = `${this.#files} of ${this.#bytes}`;
      throw inputsChanged(`${files} files of ${bytes} bytes are now ${now}`);
    }
    if (this.#newest !== newest) throw inputsChanged("one was written after the export began");
  }

  close(): void {
    this.#payload.abort();
    this.#index.close();
  }

  async #packed(): Promise<Packed> {
    const { expected } = this.plan;
    // The lines of the last files come with the last chunk.
    const payload = await this.#payload.finish();
    const digests = this.#digests.map((hash) => hash.digest("hex"));
    const sources = this.plan.sources.map((name, i) => ({ name, sha256: digests[i]! }));
    const other = sources.find(({ sha256 }, i) => (expected[i] ?? sha256) !== sha256);
    if (other !== undefined) throw inputsChanged(`those of ${other.name} are not what was checked`);
    const index: BundleFile = { path: indexName, role: "index", ...this.#index.end() };
    this.#index.sync();
    const files = [index, ...payload];
    for (const { path } of files) chmodSync(join(this.directory, path), 0o644);
    return Object.freeze({ plan: this.plan, files, state: index.sha256, sources });
  }

  #look({ origin }: WalkedFile): OriginStat {
    const seen = statOrigin(origin);
    this.#files++;
    this.#bytes += seen.size;
    this.#newest = Math.max(this.#newest, seen.mtime);
    return seen;
  }

  /** Whether reading is deferred to the workers, so that the digest comes later. */
  #isDeferred(input: InputFile | undefined): boolean {
    // Without workers nothing is gained; the first bytes, if requested, have to be read here.
    const canDefer = this.pool.depth > 0 && this.context.onFirstBytes === undefined;
    if (input === undefined || !canDefer || !this.#payload.defer?.(input)) return false;
    // It is read within the next few chunks.
    this.#progress(input.size);
    return true;
  }

  #content({ path, origin }: WalkedFile, input: InputFile | undefined): Promise<string> {
    if ("bytes" in origin) return this.#copyBytes(path, origin.bytes);
    return "blob" in origin ? this.#copyBlob(path, origin.blob) : this.#copyFile(path, input!);
  }

  /** The name of a blob is its digest, and what depends on it was planned: nothing else may come. */
  async #copyBlob(name: string, { digest, size, open }: RemoteBlob): Promise<string> {
    const hash = startSha256();
    const reader = await open();
    try {
      for (let left = size; left > 0;) {
        const writable = this.#payload.writable();
        const view = writable.subarray(0, Math.min(writable.length, left, readLength));
        const n = await reader.read(view);
        if (n === 0) throw blobDiffers(digest, `it ends after ${size - left} of ${size} bytes`);
        hash.update(view.subarray(0, n));
        if (left === size) this.context.onFirstBytes?.(name, view.subarray(0, n));
        await this.#payload.advance(n);
        this.#progress(n);
        left -= n;
      }
    } finally {
      reader.close();
    }
    const found = hash.digest("hex");
    if (`sha256:${found}` === digest) return found;
    throw blobDiffers(digest, `its sha256 is ${found}`);
  }

  async #copyBytes(name: string, bytes: Uint8Array): Promise<string> {
    if (bytes.length > 0) this.context.onFirstBytes?.(name, bytes);
    for (let at = 0; at < bytes.length;) {
      const writable = this.#payload.writable();
      const part = bytes.subarray(at, at + writable.length);
      writable.set(part);
      await this.#payload.advance(part.length);
      at += part.length;
    }
    this.#progress(bytes.length);
    return sha256(bytes);
  }

  async #copyFile(name: string, input: InputFile): Promise<string> {
    const writable = this.#payload.writable();
    if (input.size <= Math.min(writable.length, readLength)) {
      return await this.#copySmall(name, input, writable.subarray(0, input.size));
    }
    const file = openInput(input, this.plan.spec.privateFiles);
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
    readWhole(view, input, this.plan.spec.privateFiles);
    const digest = sha256(view);
    if (view.length > 0) this.context.onFirstBytes?.(name, view);
    await this.#payload.advance(view.length);
    this.#progress(view.length);
    return digest;
  }

  async #copyOpen(file: OpenInput, name: string, input: InputFile): Promise<string> {
    const hash = startSha256();
    for (let left = input.size; left > 0;) {
      const writable = this.#payload.writable();
      const view = writable.subarray(0, Math.min(writable.length, left, readLength));
      const n = file.read(view);
      if (n === 0) throw inputChanged(input.path);
      hash.update(view.subarray(0, n));
      if (left === input.size) this.context.onFirstBytes?.(name, view.subarray(0, n));
      await this.#payload.advance(n);
      this.#progress(n);
      left -= n;
      const yielded = left > 0 ? this.#yield() : undefined;
      if (yielded !== undefined) await yielded;
    }
    return hash.digest("hex");
  }

  #progress(bytes: number): void {
    const done = this.#read += bytes;
    this.context.emit({ kind: "progress", stage: "read", done, total: this.plan.bytes });
  }
}

function blobDiffers(digest: string, found: string): StellaError {
  return new StellaError("blob_differs", `Cannot pack the blob ${digest}: ${found}`, {
    hint: "check the storage of the registry, and of any proxy in front of it; nothing was written",
  });
}

function changedWhere({ path = "" }: Finding): never {
  throw inputChanged(path);
}
