/**
 * A bundle that lies on several media at once, as volumes do on sticks: each file is looked for in
 * every place, in the order in which the places were named, and where it was found is remembered.
 * Nothing depends on which volume lies on which stick. Where a file has several copies, those that
 * are damaged or cannot be read are passed over: one that is whole is enough.
 */
import { StellaError } from "../domain/errors.ts";
import { startSha256 } from "../domain/hash.ts";
import type { BundleFile, Manifest } from "./manifest.ts";
import { type BundleSource, type ByteReader, directorySource } from "./source.ts";

const block = 1024 * 1024;

export class MultiDirectorySource implements BundleSource {
  readonly #sources: readonly BundleSource[];
  readonly #yieldToEventLoop: () => Promise<void>;
  #listed: ReadonlyMap<string, BundleFile> = new Map();
  /** Path -> the directory in which it was found. */
  readonly foundIn = new Map<string, string>();
  /** Path -> the directories whose copy was passed over. */
  readonly badCopies = new Map<string, string[]>();

  /**
   * @param directories the manifest's own first
   * @param turn called between reads of a copy that is looked at before it is used
   * @throws to end that
   */
  constructor(
    readonly directories: readonly string[],
    yieldToEventLoop: () => Promise<void> = async () => {},
  ) {
    this.#sources = directories.map(directorySource);
    this.#yieldToEventLoop = yieldToEventLoop;
  }

  get name(): string {
    return this.directories[0] ?? "";
  }

  /** Tells what the files have to be: from then on the right one of several copies is found. */
  expect({ files }: Manifest): void {
    this.#listed = new Map(files.map((file) => [file.path, file]));
  }

  /** @throws StellaError unsafe, media: of the first copy, where none is right */
  async open(path: string): Promise<ByteReader | undefined> {
    const file = this.#listed.get(path);
    const chosen = file === undefined ? undefined : await this.#choose(file);
    for (const source of chosen === undefined ? this.#sources : [chosen]) {
      const reader = await source.open(path);
      if (reader === undefined) continue;
      this.foundIn.set(path, source.name);
      return reader;
    }
    return undefined;
  }

  /** Only archives are cut into volumes: a payload of files lies with its manifest. */
  walk(directory: string, max?: number): ReturnType<NonNullable<BundleSource["walk"]>> {
    return this.#sources[0]?.walk?.(directory, max) ?? [];
  }

  /** The first that holds a right copy; undefined where there is no choice, or none is right. */
  async #choose(file: BundleFile): Promise<BundleSource | undefined> {
    const holders = [];
    for (const source of this.#sources) {
      if (await holdsFile(source, file.path)) holders.push(source);
    }
    if (holders.length < 2) return undefined;
    const bad: string[] = [];
    for (const source of holders) {
      if (await this.#isRight(source, file)) {
        if (bad.length > 0) this.badCopies.set(file.path, bad);
        return source;
      }
      bad.push(source.name);
    }
    return undefined;
  }

  async #isRight(source: BundleSource, { path, size, sha256 }: BundleFile): Promise<boolean> {
    try {
      const reader = await source.open(path);
      if (reader === undefined) return false;
      try {
        return reader.size === size && await this.#digest(reader) === sha256;
      } finally {
        reader.close();
      }
    } catch (error) {
      if (isOfCopy(error)) return false;
      throw error;
    }
  }

  async #digest(reader: ByteReader): Promise<string> {
    const hash = startSha256();
    const buffer = new Uint8Array(block);
    for (let n = await reader.read(buffer); n > 0; n = await reader.read(buffer)) {
      hash.update(buffer.subarray(0, n));
      await this.#yieldToEventLoop();
    }
    return hash.digest("hex");
  }
}

/** Whether anything has this name there, right or not. */
async function holdsFile(source: BundleSource, path: string): Promise<boolean> {
  try {
    const reader = await source.open(path);
    reader?.close();
    return reader !== undefined;
  } catch (error) {
    if (isOfCopy(error)) return true;
    throw error;
  }
}

/** A link, or a medium that fails: another copy may be whole. */
function isOfCopy(error: unknown): boolean {
  return error instanceof StellaError && (error.code === "unsafe" || error.code === "media");
}
