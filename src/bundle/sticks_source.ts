/**
 * A bundle that lies on several media at once, as volumes do on sticks: each file is looked for in every place, in the order in
 * which the places were named, and where it was found is remembered. Nothing depends on which volume lies on which stick.
 */
import { type BundleSource, type ByteReader, directorySource } from "./source.ts";

export class SticksSource implements BundleSource {
  readonly #sources: readonly BundleSource[];
  /** Path -> the directory in which it was found. */
  readonly places = new Map<string, string>();

  /** @param directories the manifest's own first */
  constructor(readonly directories: readonly string[]) {
    this.#sources = directories.map(directorySource);
  }

  get name(): string {
    return this.#sources[0]!.name;
  }

  /** @throws StellaError unsafe, media */
  async open(path: string): Promise<ByteReader | undefined> {
    for (const source of this.#sources) {
      const reader = await source.open(path);
      if (reader === undefined) continue;
      this.places.set(path, source.name);
      return reader;
    }
    return undefined;
  }

  /** Only archives are cut into volumes: a payload of files lies with its manifest. */
  walk(directory: string): ReturnType<NonNullable<BundleSource["walk"]>> {
    return this.#sources[0]!.walk!(directory);
  }
}
