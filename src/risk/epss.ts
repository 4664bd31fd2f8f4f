/**
 * Parses FIRST's Exploit Prediction Scoring System, the daily CSV, plain or gzip: a comment with
 * version and date, a header, and a row per CVE. Source: first.org/epss/data_stats. It has some
 * 300,000 rows, so it is read as a stream.
 */
import { createGunzip } from "node:zlib";
import { pipeline, Readable } from "node:stream";
import { messageOf } from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import { canonical, isCve } from "./ids.ts";
import { Lines } from "./lines.ts";
import type { Original, Sink } from "./provider.ts";

const header = "cve,epss,percentile";
const maxLineLength = 4096;
const numberPattern = /^\d(\.\d{1,12})?(e-\d{1,2})?$/i;

export async function parseEpss(file: Original, sink: Sink): Promise<void> {
  const parser = new Parser(file, sink);
  // A file without line feeds is not CSV and must not fill the memory.
  const lines = new Lines(maxLineLength, () => parser.tooLong());
  try {
    for await (const block of unpacked(file)) {
      for (const line of lines.push(block)) parser.take(line);
    }
  } catch (error) {
    if (!errnoOf(error).startsWith("Z_")) throw error;
    return sink.reject(file, `is not complete gzip: ${messageOf(error)}`);
  }
  for (const line of lines.end()) parser.take(line);
  parser.end();
}

/** The decompressed bytes; gzip is detected by its magic number. */
function unpacked(file: Original): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  const rest = file.blocks();
  const first = rest.next();
  if (first.done) return [];
  const blocks = chained(first.value, rest);
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) return blocks;
  const gunzip = createGunzip();
  // A stream reads ahead, but a block is only valid until the next one.
  const packed = Readable.from(blocks.map((block) => block.slice()), { highWaterMark: 1 });
  // An error of either ends the iteration over the last one and is thrown there.
  pipeline(packed, gunzip, () => {});
  return gunzip;
}

function* chained(first: Uint8Array, rest: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield first;
  yield* rest;
}

class Parser {
  #line = 0;
  #headed = false;
  /** When the scores were computed. */
  #time: string | undefined;

  constructor(readonly file: Original, readonly sink: Sink) {}

  tooLong(): void {
    this.#bad(`the line is longer than ${maxLineLength} characters`, this.#line + 1);
  }

  end(): void {
    if (!this.#headed) this.#bad(`the header ${header} is missing`, Math.max(1, this.#line));
  }

  take(raw: string): void {
    this.#line++;
    const line = raw.replace(/\r$/, "");
    if (line.startsWith("#")) this.#comment(line);
    else if (!this.#headed) this.#header(line);
    else if (line !== "") this.#row(line);
  }

  #comment(line: string): void {
    const found = /score_date:([0-9T:Z+.-]+)/.exec(line)?.[1];
    if (found === undefined) return;
    // Some days the zone has no colon: +0000.
    const time = found.replace(/([+-]\d\d)(\d\d)$/, "$1:$2");
    if (!Number.isFinite(Date.parse(time))) return;
    this.#time = time;
    this.sink.recordDate(time);
  }

  #header(line: string): void {
    this.#headed = true;
    if (line !== header) this.#bad(`the header is not ${header}`, this.#line);
  }

  #row(line: string): void {
    const [given = "", score = "", percentile = "", ...more] = line.split(",");
    const id = canonical(given);
    const faults = [
      isCve(id) ? [] : "cve is not a CVE id",
      isShare(score) ? [] : "epss is not a number from 0 to 1",
      isShare(percentile) ? [] : "percentile is not a number from 0 to 1",
      more.length === 0 ? [] : "there are more than three fields",
    ].flat();
    const ids = isCve(id) ? [id] : undefined;
    faults.forEach((fault) => this.#bad(fault, this.#line, ids));
    if (faults.length > 0) return;
    const value = { score: Number(score), percentile: Number(percentile) };
    const row = { cve: id, path: this.file.path, line: this.#line, value };
    const time = this.#time;
    this.sink.row(
      time === undefined ? row : { ...row, time, value: { ...value, date: time.slice(0, 10) } },
    );
  }

  #bad(reason: string, line: number, ids?: readonly string[]): void {
    this.sink.reject({ path: this.file.path, line }, reason, ids);
  }
}

function isShare(text: string): boolean {
  return numberPattern.test(text) && Number(text) <= 1;
}
