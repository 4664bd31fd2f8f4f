/** The bytes of an archive in, its entries out, one after the other. */
import { BlockReader, blockSize } from "./block_reader.ts";

/** The header before POSIX. Numbers are decoded; a field that holds none is NaN. */
export interface OldStyleFormat {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  /** One character; `0` is a file, also where the archive has a NUL. */
  typeflag: string;
  linkname: string;
}

/** The header of POSIX.1-1988 and later. */
export interface PosixUstarFormat extends OldStyleFormat {
  magic: string;
  version: string;
  uname: string;
  gname: string;
  devmajor: string;
  devminor: string;
  /** What stands before the name, without the slash between them. */
  prefix: string;
}

export interface TarStreamEntry {
  header: OldStyleFormat | PosixUstarFormat;
  /** As the archive states it: `..`, absolute and doubled paths are passed on. */
  path: string;
  /** Absent for links, devices, directories and pipes. It must be read or cancelled before the next entry comes. */
  readable?: ReadableStream<Uint8Array>;
}

/**
 * A transform of an archive into its entries. Read are the old header and ustar; extension headers come out as entries
 * of type `x`, `g`, `L` and so on. It ends at two zero blocks and ignores what follows.
 *
 * It fails with a SyntaxError at a wrong checksum and inside a cut file, with a RangeError at a broken block, with a
 * TypeError where the two zero blocks are missing.
 */
export class UntarStream implements TransformStream<Uint8Array, TarStreamEntry> {
  readonly #readable: ReadableStream<TarStreamEntry>;
  readonly #writable: WritableStream<Uint8Array>;

  constructor() {
    const bytes = new TransformStream<Uint8Array, Uint8Array>();
    this.#writable = bytes.writable;
    this.#readable = ReadableStream.from(entries(new BlockReader(bytes.readable)));
  }

  get readable(): ReadableStream<TarStreamEntry> {
    return this.#readable;
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable;
  }
}

async function* entries(source: BlockReader): AsyncGenerator<TarStreamEntry> {
  try {
    for (let block = await source.block();; block = await source.block()) {
      if (block === undefined || isZero(block)) return await assertEnd(source, block);
      const header = parseHeader(block);
      const path = "prefix" in header && header.prefix !== ""
        ? `${header.prefix}/${header.name}`
        : header.name;
      if (/^[1-6]$/.test(header.typeflag)) {
        yield { header, path };
      } else {
        const { readable, consumed } = contentOf(source, header.size);
        yield { header, path, readable };
        await consumed;
      }
    }
  } finally {
    await source.cancel();
  }
}

async function assertEnd(source: BlockReader, block: Uint8Array | undefined): Promise<void> {
  const second = block && await source.block();
  if (second !== undefined && isZero(second)) return;
  throw new TypeError("Cannot read the archive: it does not end with two zero blocks");
}

/** The content of one entry, and a promise that settles once it was read to its end, cancelled, or has failed. */
function contentOf(
  source: BlockReader,
  size: number,
): { readable: ReadableStream<Uint8Array>; consumed: Promise<void> } {
  const { promise: consumed, resolve } = Promise.withResolvers<void>();
  let left = size;
  const skipRest = async () => {
    await source.skip(left + (blockSize - size % blockSize) % blockSize);
    left = 0;
  };
  const pull = async (controller: ReadableByteStreamController) => {
    if (left === 0) return false;
    const chunk = await source.take(left);
    left -= chunk.length;
    controller.enqueue(chunk.slice());
    return true;
  };
  const readable = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        if (await pull(controller)) return;
        await skipRest();
        controller.close();
        controller.byobRequest?.respond(0);
      } catch (cause) {
        controller.error(cause);
      }
      resolve();
    },
    cancel: () => skipRest().finally(resolve),
  });
  return { readable, consumed };
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

function parseHeader(block: Uint8Array): OldStyleFormat | PosixUstarFormat {
  const field = (from: number, to: number) => new TextDecoder().decode(block.subarray(from, to));
  const text = (from: number, to: number) => field(from, to).split("\0")[0] ?? "";
  const number = (from: number, to: number) => Number.parseInt(field(from, to), 8);
  assertChecksum(block, number(148, 156));
  const old: OldStyleFormat = {
    name: text(0, 100),
    mode: number(100, 108),
    uid: number(108, 116),
    gid: number(116, 124),
    size: number(124, 136),
    mtime: number(136, 148),
    typeflag: field(156, 157).replace("\0", "0"),
    linkname: text(157, 257),
  };
  if (field(257, 265) !== "ustar\u000000") return old;
  return {
    ...old,
    magic: field(257, 263),
    version: field(263, 265),
    uname: text(265, 297),
    gname: text(297, 329),
    devmajor: field(329, 337).replaceAll("\0", ""),
    devminor: field(337, 345).replaceAll("\0", ""),
    prefix: text(345, 500),
  };
}

/** The sum of all bytes, the checksum's own eight counted as spaces. */
function assertChecksum(block: Uint8Array, expected: number): void {
  const spaces = 8 * 0x20;
  const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => total + byte, 0);
  const found = sum(block) - sum(block.subarray(148, 156)) + spaces;
  if (found === expected) return;
  throw new SyntaxError(
    `Cannot read the archive: a header's checksum is ${expected}, found ${found}`,
  );
}
