/**
 * The joined lines in files by year and thousand of their ids: new data changes few of them, so that
 * a delta carries few.
 */
import type { Hash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encodeIndexLine } from "../bundle/index_file.ts";
import { startSha256 } from "../domain/hash.ts";
import { HashedFile, newBuffer } from "../domain/hashed_file.ts";
import { tryIo } from "../domain/io_errors.ts";
import { joinedFolder } from "./provider.ts";

/** `CVE-2026-1234`, `GO-2026-1234`, `RHSA-2026:1234-01`. */
const dated = /^([A-Z][A-Z-]{0,15})-((?:19|20)\d\d)[-:](\d+)/;
const otherIds = "other";
/** Of a number: a hostile file of ids must not become a million files. */
const maxDigits = 6;

/**
 * The name of the file, without `.ndjson`, that has the line of an id: `2026-1xxx` for
 * CVE-2026-1234, `GO-2026-1xxx`, `other`. No name is the beginning of another one.
 */
export function joinedFileOf(id: string): string {
  const [, system, year, number = ""] = dated.exec(id.toUpperCase()) ?? [];
  if (system === undefined) return otherIds;
  const name = system === "CVE" ? year : `${system}-${year}`;
  if (number.length > maxDigits) return `${name}-${otherIds}`;
  return `${name}-${number.slice(0, -3) || "0"}xxx`;
}

/** Whether a file of a payload has joined lines; bundles of earlier versions have a single one. */
export function isJoinedFile(path: string): boolean {
  return path === `${joinedFolder}.ndjson` ||
    (path.startsWith(`${joinedFolder}/`) && path.endsWith(".ndjson"));
}

export class JoinedFiles {
  /** Relative to the directory. */
  readonly paths: string[] = [];
  readonly #index: Hash = startSha256();
  readonly #buffer = newBuffer();
  #current: { name: string; file: HashedFile } | undefined;
  #bytes = 0;

  constructor(readonly directory: string) {
    const path = join(directory, joinedFolder);
    tryIo("Cannot make the directory", path, () => mkdirSync(path));
  }

  /**
   * Adds the line of an id; ids come file by file, in the order of the files' names.
   * @returns whether something was written
   * @throws StellaError io
   */
  addLine(id: string, line: string): boolean {
    const name = joinedFileOf(id);
    if (this.#current?.name !== name) this.#begin(name);
    return this.#current?.file.addLine(line) ?? false;
  }

  /** `sha256`: of the files' lines in SHA256SUMS. */
  end(): { files: number; bytes: number; sha256: string } {
    this.#end();
    const sha256 = this.#index.digest("hex");
    return { files: this.paths.length, bytes: this.#bytes, sha256 };
  }

  close(): void {
    this.#current?.file.close();
    this.#current = undefined;
  }

  #begin(name: string): void {
    this.#end();
    const path = `${joinedFolder}/${name}.ndjson`;
    const file = new HashedFile(join(this.directory, path), 0o644, this.#buffer);
    this.#current = { name, file };
    this.paths.push(path);
  }

  #end(): void {
    const path = this.paths.at(-1);
    if (this.#current === undefined || path === undefined) return;
    const { size, sha256 } = this.#current.file.end();
    this.#bytes += size;
    this.#index.update(encodeIndexLine({ path, sha256 }));
    this.close();
  }
}
