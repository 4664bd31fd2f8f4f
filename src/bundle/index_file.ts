/**
 * SHA256SUMS, the index: one line per payload file, `<64 hex><2 spaces><path>\n`, sorted bytewise,
 * without duplicates. `sha256sum -c --strict SHA256SUMS` checks an unpacked payload with it. It is
 * streamed: a million lines need no memory.
 */
import { Buffer } from "node:buffer";
import { sha256Hex } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import { comparePaths, pathFault } from "../domain/paths.ts";

export interface IndexEntry {
  path: string;
  sha256: string;
}

const pathStart = 66;
/** SHA-256, two spaces, the longest path, line feed. */
const maxLineLength = pathStart + 4095 + 1;

export function encodeIndexLine(entry: IndexEntry): string {
  return `${entry.sha256}  ${entry.path}\n`;
}

/** A fault in a line of the index, from 1. `unsafe`: no payload may have such a path. */
export class IndexFault extends Error {
  constructor(readonly line: number, readonly reason: string, readonly unsafe = false) {
    super(reason);
  }
}

/**
 * Parses the index: feed blocks with `push`, take entries with `next` (undefined: more bytes are
 * needed), and call `end` last.
 * @throws IndexFault for form, order, duplicate, unsafe path, a file below a file
 */
export class IndexParser {
  /** Bytes after the last line feed. */
  #rest: Buffer = Buffer.alloc(0);
  /** Lines not taken yet, decoded together: much faster than line by line. */
  #lines = "";
  #at = 0;
  #line = 0;
  #previous: string | undefined;
  /** Earlier paths that begin the last one, each a prefix of the next: always few. */
  readonly #stems: string[] = [];
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  push(block: Uint8Array): void {
    const bytes = Buffer.concat([this.#rest, block]);
    const end = bytes.lastIndexOf(10) + 1;
    this.#lines = this.#lines.slice(this.#at) + this.#decode(bytes.subarray(0, end));
    this.#at = 0;
    this.#rest = bytes.subarray(end);
  }

  next(): IndexEntry | undefined {
    const end = this.#lines.indexOf("\n", this.#at);
    if (end < 0) {
      if (this.#rest.length <= maxLineLength) return undefined;
      this.#line++;
      this.#fail("the line is too long");
    }
    const line = this.#lines.slice(this.#at, end);
    this.#at = end + 1;
    this.#line++;
    return this.#entry(line);
  }

  end(): void {
    if (this.#rest.length > 0) {
      this.#line++;
      this.#fail("the last line has no line feed");
    }
  }

  /** Invalid UTF-8 becomes U+FFFD, which no path may contain: so its line is reported. */
  #decode(bytes: Uint8Array): string {
    try {
      return this.#utf8.decode(bytes);
    } catch {
      return Buffer.from(bytes).toString("utf8");
    }
  }

  #entry(line: string): IndexEntry {
    const sha256 = line.slice(0, 64);
    const spaces = line.charCodeAt(64) === 32 && line.charCodeAt(65) === 32;
    if (!spaces || line.length <= pathStart || !sha256Hex.test(sha256)) {
      this.#fail("the line is not <64 hex digits><two spaces><path>");
    }
    const path = line.slice(pathStart);
    const fault = pathFault(path);
    if (fault !== undefined) this.#fail(`the path cannot be used: ${fault}`, true);
    if (this.#previous !== undefined && comparePaths(this.#previous, path) >= 0) {
      this.#fail("the path is not after the one before it in bytewise order");
    }
    this.#previous = path;
    this.#checkBelow(path);
    return { path, sha256 };
  }

  /** `a` and `a/b` cannot both be files; between them, in order, all paths begin with `a`. */
  #checkBelow(path: string): void {
    while (this.#stems.length > 0 && !path.startsWith(this.#stems.at(-1)!)) this.#stems.pop();
    const above = this.#stems.find((stem) => path[stem.length] === "/");
    if (above !== undefined) this.#fail(`the path lies below the file ${shown(above)}`, true);
    this.#stems.push(path);
  }

  #fail(reason: string, unsafe = false): never {
    throw new IndexFault(this.#line, reason, unsafe);
  }
}
