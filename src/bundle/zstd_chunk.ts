/**
 * Encodes a chunk of the archive as exactly one zstd frame with its content size (RFC 8878).
 *
 * Deno's one-shot compressor appends an empty second frame to incompressible input unless size and
 * buffer are given, and its decompressor accepts truncated, concatenated and skippable input. So
 * the encoder gives both, and the decoder first walks the frame: one frame, known content size,
 * ending with the chunk's last byte.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

const level = 3;
const headroom = 64;

/** The maximum length of a frame of `length` bytes: ZSTD_compressBound, rounded up. */
export function maxStoredSize(length: number): number {
  return length + (length >> 8) + 64;
}

export function compressChunk(chunk: Uint8Array): Uint8Array {
  const options = {
    pledgedSrcSize: chunk.length,
    chunkSize: maxStoredSize(chunk.length),
    params: { [constants.ZSTD_c_compressionLevel]: level },
  };
  return zstdCompressSync(chunk, options);
}

/** Decodes a chunk whose digest matched. @throws Error if it is not one frame of `size` bytes */
export function decompressChunk(stored: Uint8Array, size: number): Uint8Array {
  walkFrame(stored, size);
  // A buffer for the whole output and some more; otherwise zlib makes pieces of 16 kB and joins
  // them in a second buffer.
  const options = { maxOutputLength: Math.max(size, 1), chunkSize: size + headroom };
  const chunk = zstdDecompressSync(stored, options);
  if (chunk.length !== size) throw new Error(`the frame holds ${chunk.length} bytes, not ${size}`);
  return chunk;
}

const magic = 0xfd2fb528;
/** The window of a frame must not make a decoder allocate more than this. */
const maxWindow = 8 * 1024 * 1024;

function walkFrame(frame: Uint8Array, size: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 6 || view.getUint32(0, true) !== magic) throw new Error("not a zstd frame");
  const descriptor = view.getUint8(4);
  if ((descriptor & 0x08) !== 0 || (descriptor & 0x03) !== 0) {
    throw new Error("the frame uses a reserved bit or a dictionary");
  }
  const blocks = checkContentSize(view, descriptor, size);
  const end = walkBlocks(view, blocks) + ((descriptor & 0x04) !== 0 ? 4 : 0);
  if (end > frame.length) throw new Error("the frame is truncated");
  if (end < frame.length) throw new Error("bytes follow the frame");
}

/** Checks window and content size; returns the start of the blocks. */
function checkContentSize(view: DataView, descriptor: number, size: number): number {
  const single = (descriptor & 0x20) !== 0;
  const flag = descriptor >> 6;
  if (flag === 0 && !single) throw new Error("the frame states no content size");
  if (!single && windowOf(view.getUint8(5)) > maxWindow) {
    throw new Error("the window is too large");
  }
  const at = single ? 5 : 6;
  const width = 1 << flag;
  if (at + width > view.byteLength) throw new Error("the frame is truncated");
  const stated = flag === 0
    ? view.getUint8(at)
    : flag === 1
    ? view.getUint16(at, true) + 256
    : flag === 2
    ? view.getUint32(at, true)
    : Number(view.getBigUint64(at, true));
  if (stated !== size) throw new Error(`the frame states ${stated} bytes, not ${size}`);
  return at + width;
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function walkBlocks(view: DataView, start: number): number {
  let at = start;
  for (;;) {
    if (at + 3 > view.byteLength) throw new Error("the frame is truncated");
    const header = view.getUint16(at, true) | view.getUint8(at + 2) << 16;
    const type = header >> 1 & 3;
    if (type === 3) throw new Error("the frame has a block of a reserved type");
    at += 3 + (type === 1 ? 1 : header >> 3);
    if ((header & 1) !== 0) return at;
  }
}
