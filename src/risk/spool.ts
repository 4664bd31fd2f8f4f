/**
 * Sorts lines in limited memory: they are collected, sorted runs are written to files, and the runs
 * are merged at the end. The order is by UTF-16 units, the same on every machine.
 */
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { tryIo } from "../domain/io_errors.ts";
import { Lines } from "./lines.ts";
import { writeLines } from "../domain/hashed_file.ts";

const runBytes = 512 * 1024;
const readSize = 16 * 1024;
/** UTF-16 units in memory during a merge, one line per run. */
const mergeBytes = 16 * 1024 * 1024;

export class Spool {
  readonly #runs: string[] = [];
  #made = 0;
  /** Longest line so far, in UTF-16 units. */
  #longest = 0;
  readonly #encoder = new TextEncoder();
  /** As bytes: a hundred thousand strings would cost twenty times their text. */
  readonly #waiting: Uint8Array;
  #used = 0;

  /** Runs are files `<prefix>-<number>` in `directory`. */
  constructor(readonly directory: string, readonly prefix: string, bufferBytes = runBytes) {
    this.#waiting = new Uint8Array(bufferBytes);
  }

  /** A line contains no line feed. @throws StellaError io */
  add(line: string): void {
    this.#longest = Math.max(this.#longest, line.length);
    if (this.#put(line)) return;
    if (this.#used > 0) this.#addRun(this.#taken());
    // A buffer for one long line would stay allocated.
    if (!this.#put(line)) this.#addRun([line]);
  }

  /** False if the line and its line feed do not fit. */
  #put(line: string): boolean {
    const { read, written } = this.#encoder.encodeInto(line, this.#waiting.subarray(this.#used));
    const end = this.#used + written;
    if (read < line.length || end === this.#waiting.length) return false;
    this.#waiting[end] = 0x0a;
    this.#used = end + 1;
    return true;
  }

  /** All lines, sorted; call once. @throws StellaError io */
  *sorted(): Generator<string> {
    if (this.#runs.length === 0) return yield* this.#taken();
    this.#addRun(this.#taken());
    try {
      const max = Math.max(2, Math.floor(mergeBytes / this.#longest));
      while (this.#runs.length > max) this.#mergeSome(max);
      yield* mergedFiles(this.#runs);
    } finally {
      for (const path of this.#runs) rmSync(path, { force: true });
    }
  }

  /** Merges the first runs into one: all at once would keep a long line of each in memory. */
  #mergeSome(count: number): void {
    const paths = this.#runs.splice(0, count);
    try {
      this.#addRun(mergedFiles(paths));
    } finally {
      for (const path of paths) rmSync(path, { force: true });
    }
  }

  /** Empties the buffer and returns its lines, sorted. */
  #taken(): string[] {
    const text = new TextDecoder().decode(this.#waiting.subarray(0, this.#used));
    this.#used = 0;
    const lines = text.split("\n");
    lines.pop();
    return lines.sort();
  }

  #addRun(lines: Iterable<string>): void {
    const path = join(this.directory, `${this.prefix}-${this.#made++}`);
    this.#runs.push(path);
    writeLines(path, 0o600, lines);
  }
}

function* readLines(path: string): Generator<string, undefined> {
  const fd = tryIo("Cannot read", path, () => openSync(path, "r"));
  const lines = new Lines();
  const buffer = new Uint8Array(readSize);
  const read = () => tryIo("Cannot read", path, () => readSync(fd, buffer));
  try {
    for (let n = read(); n > 0; n = read()) yield* lines.push(buffer.subarray(0, n));
  } finally {
    closeSync(fd);
  }
}

function* mergedFiles(paths: readonly string[]): Generator<string> {
  const runs = paths.map(readLines);
  try {
    yield* merged(runs);
  } finally {
    for (const run of runs) run.return(undefined);
  }
}

/** Few runs of many lines: the smallest head is found by comparing all. */
function* merged(runs: Generator<string, undefined>[]): Generator<string> {
  const heads = runs.map((run) => ({ run, line: run.next().value }));
  for (;;) {
    let [least, first] = [heads[0], heads[0]?.line];
    for (const head of heads) {
      if (head.line === undefined || (first !== undefined && head.line >= first)) continue;
      [least, first] = [head, head.line];
    }
    if (least === undefined || first === undefined) return;
    yield first;
    least.line = least.run.next().value;
  }
}
