/**
 * Reads a directory of files from the medium itself. An ordinary read right after a write is
 * answered from the system's page cache and says nothing about the medium; with O_DIRECT (Linux,
 * open(2)) the device is read. Where a file system or system has no such reads, ordinary ones are
 * used and `isDirect` says so.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { type BundleSource, type ByteReader, directorySource } from "../bundle/source.ts";
import { StellaError } from "../domain/errors.ts";
import { errnoOf, ioReason, tryIo } from "../domain/io_errors.ts";
import { shown } from "../domain/names.ts";

/** Bytes per read: a multiple of every block size. */
const blockLength = 1024 * 1024;
/** Direct reads need a buffer at an address that is a multiple of the device's block size. */
const largestBlock = 4096;
/** The addresses of buffers are multiples of this. */
const addressStep = 8;

export class MediumSource implements BundleSource {
  readonly #plain: BundleSource;
  #isDirect = constants.O_DIRECT !== undefined;

  constructor(readonly root: string, readonly name = root) {
    this.#plain = directorySource(root);
  }

  /** Whether all that was read came from the medium. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** @throws StellaError io */
  open(path: string): ByteReader | undefined | Promise<ByteReader | undefined> {
    const full = join(this.root, path);
    const reader = this.#isDirect ? openDirect(full) : undefined;
    if (reader !== undefined) return reader;
    const plain = this.#plain.open(path);
    if (plain !== undefined) this.#isDirect = false;
    return plain;
  }
}

/** Undefined if the file is not there or cannot be read directly. */
function openDirect(path: string): ByteReader | undefined {
  const { O_RDONLY, O_DIRECT, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NONBLOCK | O_DIRECT);
  } catch {
    return undefined;
  }
  const stat = tryIo("Cannot read", path, () => fstatSync(fd));
  const block = stat.isFile() ? alignedBlock(fd) : undefined;
  if (block !== undefined) return new DirectReader(fd, stat.size, path, block);
  closeSync(fd);
  return undefined;
}

/**
 * A program cannot see the address of a buffer, so the place in it where a direct read begins is
 * found by trying. Undefined if the file cannot be read directly.
 */
function alignedBlock(fd: number): Uint8Array | undefined {
  const buffer = new Uint8Array(blockLength + largestBlock);
  for (let at = 0; at < largestBlock; at += addressStep) {
    try {
      readSync(fd, buffer, at, largestBlock, 0);
      return buffer.subarray(at, at + blockLength);
    } catch (error) {
      // Anything else is a fault of the medium, which the first read of the content reports.
      if (errnoOf(error) !== "EINVAL") return buffer.subarray(at, at + blockLength);
    }
  }
  return undefined;
}

class DirectReader implements ByteReader {
  #fd: number | undefined;
  /** Where the next block begins in the file. */
  #next = 0;
  /** What of the block was not handed out yet. */
  #left: Uint8Array = new Uint8Array();

  constructor(
    fd: number,
    readonly size: number,
    readonly path: string,
    readonly block: Uint8Array,
  ) {
    this.#fd = fd;
  }

  read(buffer: Uint8Array): number {
    let filled = 0;
    while (filled < buffer.length) {
      if (this.#left.length === 0) this.#fill();
      if (this.#left.length === 0) break;
      const part = this.#left.subarray(0, buffer.length - filled);
      buffer.set(part, filled);
      filled += part.length;
      this.#left = this.#left.subarray(part.length);
    }
    return filled;
  }

  /** @throws StellaError io if the medium cannot be read */
  #fill(): void {
    if (this.#next >= this.size) return;
    try {
      if (this.#fd === undefined) throw new Error("it is closed");
      const count = readSync(this.#fd, this.block, 0, this.block.length, this.#next);
      const isShort = count < Math.min(this.block.length, this.size - this.#next);
      if (isShort) throw new Error(`it ended after ${this.#next + count} of ${this.size} bytes`);
      this.#next += count;
      this.#left = this.block.subarray(0, count);
    } catch (error) {
      const text = `Cannot read ${shown(this.path)} back: ${ioReason(error)}`;
      throw new StellaError("medium_failed", text, {
        cause: error,
        hint: "use another stick: what was written to this one cannot be read",
      });
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
