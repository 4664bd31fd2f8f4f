/**
 * The file of the span sink: a line per request, importable by a collector (otlpjsonfile receiver).
 * Full files become PATH.1, PATH.2 and so on, and the oldest is removed.
 */
import { closeSync, fstatSync, fsyncSync, renameSync, rmSync, writeSync } from "node:fs";
import { errnoOf, ioError } from "../../domain/io_errors.ts";

export interface SpansFileOptions {
  path: string;
  /** Size in bytes after which a new file is started. */
  size: number;
  /** Number of full files to keep. */
  keep: number;
  /** Opens a file for appending, creating it readable by its owner only. */
  open(path: string): number;
}

export class SpansFile {
  #fd: number;
  #bytes: number;

  /** Appends to an existing file. @throws StellaError usage, io */
  constructor(private readonly options: SpansFileOptions) {
    [this.#fd, this.#bytes] = openAt(options);
  }

  /** `line` has no line end; it is handed to the disk at once. @throws StellaError io */
  add(line: string): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.options.size) this.#rotate();
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
      this.#bytes += bytes.length;
    } catch (error) {
      throw ioError("Cannot write the spans to", this.options.path, error);
    }
  }

  close(): void {
    fsyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #rotate(): void {
    const { path, keep } = this.options;
    this.close();
    rmSync(`${path}.${keep}`, { force: true });
    for (let n = keep - 1; n >= 1; n--) renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    if (keep > 0) renameIfThere(path, `${path}.1`);
    else rmSync(path, { force: true });
    [this.#fd, this.#bytes] = openAt(this.options);
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
    if (errnoOf(error) !== "ENOENT") throw ioError("Cannot rename", from, error);
  }
}
