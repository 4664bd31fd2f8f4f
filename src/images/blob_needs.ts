/** Which repositories need which blobs, and which have them. */
import type { Digest } from "../domain/hash.ts";
import { comparePaths } from "../domain/paths.ts";
import type { Descriptor } from "../registry/artifact.ts";

/** A blob, and the repositories that lack it. */
export interface MissingBlob {
  blob: Descriptor;
  repositories: string[];
}

export class BlobNeeds {
  readonly #blobs = new Map<Digest, { blob: Descriptor; repositories: Set<string> }>();
  readonly #holders = new Map<Digest, Set<string>>();

  add(blob: Descriptor, repository: string): void {
    const known = this.#blobs.get(blob.digest);
    if (known !== undefined) return void known.repositories.add(repository);
    this.#blobs.set(blob.digest, { blob, repositories: new Set([repository]) });
  }

  found(digest: Digest, repository: string): void {
    const holders = this.#holders.get(digest);
    if (holders !== undefined) holders.add(repository);
    else this.#holders.set(digest, new Set([repository]));
  }

  /** The registry has lost it. */
  lost(digest: Digest, repository: string): void {
    this.#holders.get(digest)?.delete(repository);
  }

  /** Repositories of the registry that have the blob. */
  holders(digest: Digest): string[] {
    return [...this.#holders.get(digest) ?? []];
  }

  /** All that is needed. */
  questions(): { blob: Descriptor; repository: string }[] {
    return [...this.#blobs.values()].flatMap(({ blob, repositories }) =>
      [...repositories].map((repository) => ({ blob, repository }))
    );
  }

  /** What is not there, in the order of the archive. */
  missing(): MissingBlob[] {
    return [...this.#blobs.values()]
      .map(({ blob, repositories }) => {
        const holders = this.#holders.get(blob.digest) ?? new Set();
        return { blob, repositories: [...repositories.difference(holders)].sort() };
      })
      .filter(({ repositories }) => repositories.length > 0)
      .sort((a, b) => comparePaths(a.blob.digest, b.blob.digest));
  }
}
