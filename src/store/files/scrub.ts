/**
 * The scrub: reads every stored bundle regularly and compares it with its manifest, so that bit rot
 * is found while the sources still exist. It reads slowly, beside the other work of the service.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../domain/errors.ts";
import { type Contents, contentsOf, storedBytes, type StoredFile } from "./contents.ts";
import type { FileStore, StoredBundle } from "./store.ts";

export interface Damage extends StoredBundle {
  /** The first file that differs. */
  path: string;
  found: string;
}

export interface ScrubOptions {
  store: Pick<FileStore, "find">;
  /** Bytes per second; the event loop is blocked for about a millisecond at a time. */
  rate: number;
  signal: AbortSignal;
  /** Monotonic milliseconds. */
  elapsed(): number;
}

/** Reads the bundles once and returns the damaged ones. One removed meanwhile is not damaged. */
export async function scrub(
  bundles: readonly StoredBundle[],
  options: ScrubOptions,
): Promise<Damage[]> {
  const found: Damage[] = [];
  const { store, signal } = options;
  for (const bundle of bundles) {
    const directory = store.find(bundle);
    if (directory === undefined) continue;
    const damage = await scrubBundle(directory, options);
    if (signal.aborted) break;
    if (damage !== undefined && store.find(bundle) !== undefined) {
      found.push({ ...bundle, ...damage });
    }
  }
  return found;
}

async function scrubBundle(directory: string, options: ScrubOptions) {
  let contents: Contents;
  try {
    contents = await contentsOf(directory);
  } catch (error) {
    return { path: "manifest.json", found: messageOf(error) };
  }
  for (const file of contents.files) {
    const fault = await scrubFile(contents, file, options);
    if (fault !== undefined) return { path: file.path, found: fault };
    if (options.signal.aborted) return undefined;
  }
  return undefined;
}

async function scrubFile(contents: Contents, file: StoredFile, options: ScrubOptions) {
  const hash = createHash("sha256");
  try {
    for await (const piece of storedBytes(contents, file)) {
      const started = options.elapsed();
      hash.update(piece);
      if (options.signal.aborted) return undefined;
      const pause = piece.length / options.rate * 1000 - (options.elapsed() - started);
      await setTimeout(Math.max(0, pause));
    }
  } catch (error) {
    return messageOf(error);
  }
  return hash.digest("hex") === file.digest ? undefined : `another digest in ${nameOf(contents)}`;
}

function nameOf({ directory }: Contents): string {
  return join(directory).split("/").slice(-3).join("/");
}

export interface Scrubbed {
  /** End of the last scrub in milliseconds since 1970; 0: never. */
  at: number;
  damaged: readonly Damage[];
}

/**
 * Stores the result: a restart neither forgets damage nor reads everything again.
 * @param state the state directory @throws the system's error
 */
export function writeScrubbed(state: string, scrubbed: Scrubbed): void {
  writeFileSync(noteIn(state), `${JSON.stringify(scrubbed)}\n`, { mode: 0o600 });
}

/** A missing or truncated file counts as no scrub. Earlier versions wrote only the time. */
export function readScrubbed(state: string): Scrubbed {
  try {
    const note = JSON.parse(readFileSync(noteIn(state), "utf8")) as number | Scrubbed;
    return typeof note === "number" ? { at: note, damaged: [] } : note;
  } catch {
    return { at: 0, damaged: [] };
  }
}

function noteIn(state: string): string {
  return join(state, "scrubbed");
}
