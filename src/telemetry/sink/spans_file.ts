/**
 * The file that spans are kept in: a line per request, each a complete object, so that what is on a stick can be read line by
 * line and be sent on to a collector (its otlpjsonfile receiver reads this very format). It never grows past a size; full
 * ones become PATH.1, PATH.2 and so on, the oldest goes. Source: OpenTelemetry "File Exporter" (OTLP JSON lines).
 */
import { closeSync, fstatSync, fsyncSync, renameSync, rmSync, writeSync } from "node:fs";
import { ioError } from "../../domain/errors.ts";

export interface SpansFileOptions {
  path: string;
  /** Bytes after which the next line goes into a new file. */
  size: number;
  /** How many full files are kept. */
  keep: number;
  /**
   * Opens a file to be written at its end, and makes it where it is missing: only its owner may
   * read it.
   */
  open(path: string): number;
}

export class SpansFile {
  readonly #options: SpansFileOptions;
  #fd: number;
  #bytes: number;

  /** Goes on at the end of a file that is there. @throws StellaError usage, media */
  constructor(options: SpansFileOptions) {
    this.#options = options;
    [this.#fd, this.#bytes] = openAt(options);
  }

  /** `line` without its line end; on the way to the disk when this returns. @throws StellaError media */
  add(line: string): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#options.size) this.#rotate();
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
      this.#bytes += bytes.length;
    } catch (error) {
      throw ioError("Cannot write the spans to", this.#options.path, error);
    }
  }

  close(): void {
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #rotate(): void {
    const { path, keep } = this.#options;
    this.close();
    rmSync(`${path}.${keep}`, { force: true });
    for (let n = keep - 1; n >= 1; n--) renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    if (keep > 0) renameIfThere(path, `${path}.1`);
    else rmSync(path, { force: true });
    [this.#fd, this.#bytes] = openAt(this.#options);
  }
}

function openAt({ path, open }: SpansFileOptions): [fd: number, bytes: number] {
  const fd = open(path);
  return [fd, fstatSync(fd).size];
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw ioError("Cannot rename", from, error);
  }
}
