/**
 * Sizes of stored bundles according to their manifests: a directory may have a million files, so it
 * is not walked.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { manifestName } from "../../bundle/manifest.ts";
import { readManifest } from "../../bundle/read_manifest.ts";
import type { FileStore, StoredBundle } from "./store.ts";

export interface StoredSize {
  bundles: number;
  bytes: number;
}

/** Cached: a stored bundle never changes. */
export class Sizes {
  readonly #known = new Map<string, number>();

  /** When `signal` aborts, the count ends early and is incomplete. */
  constructor(readonly signal?: AbortSignal) {}

  /** Counts bundles by profile, those of `profiles` even if there are none, and all others. */
  async count(
    store: Pick<FileStore, "list" | "path">,
    profiles: readonly string[],
    filter: { profile?: string } = {},
  ): Promise<{ counts: Map<string, StoredSize>; others: StoredSize }> {
    const counts = new Map(profiles.map((one) => [one, { bundles: 0, bytes: 0 }]));
    const others = { bundles: 0, bytes: 0 };
    for (const bundle of store.list(filter)) {
      if (this.signal?.aborted) break;
      const of = counts.get(bundle.profile) ?? others;
      of.bundles++;
      of.bytes += await this.#sizeOf(store.path(bundle), bundle);
    }
    return { counts, others };
  }

  forget(bundles: readonly StoredBundle[]): void {
    for (const { exportId } of bundles) this.#known.delete(exportId);
  }

  async #sizeOf(directory: string, { exportId }: StoredBundle): Promise<number> {
    const size = this.#known.get(exportId) ?? await readSize(directory);
    this.#known.set(exportId, size);
    return size;
  }
}

/** Bytes; 0 if the manifest is missing or damaged, which the scrub reports. */
async function readSize(directory: string): Promise<number> {
  try {
    const bytes = await readFile(join(directory, manifestName));
    const { files, payload } = readManifest(bytes);
    const loose = payload.layout === "directory" ? payload.bytes : 0;
    return files.reduce((sum, { size }) => sum + size, bytes.length + loose);
  } catch {
    return 0;
  }
}
