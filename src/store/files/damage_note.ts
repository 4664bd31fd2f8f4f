/**
 * The result of the last scrub, in a file beside the bundles: a restart neither forgets damage nor
 * reads everything again.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Damage } from "./scrub.ts";

export interface Scrubbed {
  /** End of the last scrub in milliseconds since 1970; 0: never. */
  at: number;
  damaged: readonly Damage[];
}

/** @param state the state directory; @throws the system's error */
export function writeScrubbed(state: string, scrubbed: Scrubbed): void {
  writeFileSync(noteIn(state), `${JSON.stringify(scrubbed)}\n`, { mode: 0o600 });
}

/**
 * A missing or truncated file counts as no scrub: everything is read again. Earlier versions wrote
 * only the time.
 */
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
