/**
 * Lines in sorted order in bounded memory: they are collected, and where there are too many a sorted run goes to a file; at the end
 * the runs are merged. The order is that of the lines' UTF-16 units, the same on every machine.
 */
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeAll } from "../bundle/durable.ts";
import { ioError } from "../errors.ts";

/** Characters that wait in memory; a line costs some 50 bytes besides. */
const mostWaiting = 4 * 1024 * 1024;
const lineCost = 50;
const readSize = 64 * 1024;

export class Spool {
  readonly #runs: string[] = [];
  #lines: string[] = [];
  #waiting = 0;

  /** Runs are files `<prefix>-<number>` in `directory`; `most` characters wait in memory. */
  constructor(
    readonly directory: string,
    readonly prefix: string,
    readonly most = mostWaiting,
  ) {}

  /** A line holds no line feed. @throws StellaError media */
  add(line: string): void {
    this.#lines.push(line);
    this.#waiting += line.length + lineCost;
    if (this.#waiting > this.most) this.#writeRun();
  }

  /** All lines, sorted; once. @throws StellaError media */
  *sorted(): Generator<string> {
    if (this.#runs.length === 0) return yield* this.#lines.sort();
    this.#writeRun();
    const runs = this.#runs.map(readLines);
    try {
      yield* merged(runs);
    } finally {
      for (const run of runs) run.return(undefined);
      for (const path of this.#runs) rmSync(path, { force: true });
    }
  }

  #writeRun(): void {
    const path = join(this.directory, `${this.prefix}-${this.#runs.length}`);
    this.#runs.push(path);
    const lines = this.#lines.sort();
    [this.#lines, this.#waiting] = [[], 0];
    writeLines(path, lines);
  }
}

/** A new file of these lines. @throws StellaError media */
export function writeLines(path: string, lines: Iterable<string>): void {
  try {
    const fd = openSync(path, "wx", 0o600);
    try {
      let piece = "";
      for (const line of lines) {
        piece += `${line}\n`;
        if (piece.length > readSize) {
          writeAll(fd, new TextEncoder().encode(piece));
          piece = "";
        }
      }
      writeAll(fd, new TextEncoder().encode(piece));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError("Cannot write", path, error);
  }
}

/** The lines of a file that `writeLines` wrote. */
export function* readLines(path: string): Generator<string, undefined> {
  const fd = openSync(path, "r");
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(readSize);
  try {
    let rest = "";
    for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) {
      const lines = (rest + decoder.decode(buffer.subarray(0, n), { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    throw ioError("Cannot read", path, error);
  } finally {
    closeSync(fd);
  }
}

/** Few runs of many lines: the least of their heads is found by looking at all. */
function* merged(runs: Generator<string, undefined>[]): Generator<string> {
  const heads = runs.map((run) => run.next());
  for (;;) {
    let least = -1;
    heads.forEach(({ done, value }, i) => {
      if (!done && (least < 0 || value! < heads[least]!.value!)) least = i;
    });
    if (least < 0) return;
    yield heads[least]!.value!;
    heads[least] = runs[least]!.next();
  }
}
