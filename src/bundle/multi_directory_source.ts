/**
 * Reads a bundle from several media, such as volumes on several sticks: each file is looked up in
 * every directory, in the given order. Any volume may be on any medium. Damaged or unreadable
 * copies are skipped: one intact copy is enough.
 */
import { StellaError } from "../domain/errors.ts";
import type { BundleFile, Manifest } from "./manifest.ts";
import { type BundleSource, type ByteReader, digestOf, directorySource } from "./source.ts";

export class MultiDirectorySource implements BundleSource {
  readonly #sources: readonly BundleSource[];
  readonly #yieldToEventLoop: () => Promise<void>;
  #listed: ReadonlyMap<string, BundleFile> = new Map();
  /** By path: whoever opens a file many times must not compare its copies each time. */
  readonly #chosen = new Map<string, Promise<BundleSource | undefined>>();
  /** Path to the directory in which it was found. */
  readonly foundIn = new Map<string, string>();
  /** Path to the directories whose copy was skipped. */
  readonly badCopies = new Map<string, string[]>();

  /**
   * @param directories the manifest's own first
   * @param yieldToEventLoop awaited between reads while a copy is checked
   * @throws its error
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

  /** Announces the files: from then on the intact one of several copies is found. */
  expect({ files }: Manifest): void {
    this.#listed = new Map(files.map((file) => [file.path, file]));
  }

  /** @throws StellaError unsafe, io: for the first copy, if none is intact */
  async open(path: string): Promise<ByteReader | undefined> {
    const file = this.#listed.get(path);
    const chosen = file === undefined ? undefined : await this.#chosenFor(file);
    for (const source of chosen === undefined ? this.#sources : [chosen]) {
      const reader = await source.open(path);
      if (reader === undefined) continue;
      this.foundIn.set(path, source.name);
      return reader;
    }
    return undefined;
  }

  /** Only archives are cut into volumes: a payload of files is beside its manifest. */
  walk(directory: string, max?: number): ReturnType<NonNullable<BundleSource["walk"]>> {
    return this.#sources[0]?.walk?.(directory, max) ?? [];
  }

  #chosenFor(file: BundleFile): Promise<BundleSource | undefined> {
    const choice = this.#chosen.get(file.path) ?? this.#choose(file);
    this.#chosen.set(file.path, choice);
    return choice;
  }

  /** The first with an intact copy; undefined if there is one copy only, or none is intact. */
  async #choose(file: BundleFile): Promise<BundleSource | undefined> {
    const holders: BundleSource[] = [];
    for (const source of this.#sources) {
      if (await ofCopy(() => isThere(source, file.path), true)) holders.push(source);
    }
    if (holders.length < 2) return undefined;
    const bad: string[] = [];
    for (const source of holders) {
      if (await ofCopy(() => this.#isIntact(source, file), false)) {
        if (bad.length > 0) this.badCopies.set(file.path, bad);
        return source;
      }
      bad.push(source.name);
    }
    return undefined;
  }

  async #isIntact(source: BundleSource, { path, size, sha256 }: BundleFile): Promise<boolean> {
    const reader = await source.open(path);
    try {
      if (reader?.size !== size) return false;
      return (await digestOf(reader, size, this.#yieldToEventLoop)).sha256 === sha256;
    } finally {
      reader?.close();
    }
  }
}

/** Whether anything exists under this name, intact or not. */
async function isThere(source: BundleSource, path: string): Promise<boolean> {
  const reader = await source.open(path);
  reader?.close();
  return reader !== undefined;
}

/** What `look` finds; `otherwise` after a link or a read error: another copy may be intact. */
async function ofCopy(look: () => Promise<boolean>, otherwise: boolean): Promise<boolean> {
  try {
    return await look();
  } catch (error) {
    const isOfCopy = error instanceof StellaError &&
      (error.kind === "unsafe" || error.kind === "io");
    if (isOfCopy) return otherwise;
    throw error;
  }
}
