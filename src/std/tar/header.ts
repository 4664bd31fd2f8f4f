/** Encodes the header of a file, 512 bytes: POSIX.1-2017, pax, "ustar Interchange Format". */

/** A byte array with its own ArrayBuffer, in any TypeScript version. */
export type Uint8Array_ = ReturnType<Uint8Array["slice"]>;

/** Properties of an entry apart from path and content. */
export interface TarStreamOptions {
  /** Default 0o644; at most six octal digits. */
  mode?: number;
  /** Seconds since 1970, not negative, at most eleven octal digits; default now. */
  mtime?: number;
}

export interface TarStreamInput {
  type: "file";
  /** Relative to the archive's root. */
  path: string;
  /** Bytes, below 64 GiB; from 8 GiB on the field has twelve digits without a terminator. */
  size: number;
  readable: ReadableStream<Uint8Array>;
  options?: TarStreamOptions;
}

const cannot = "Cannot add to the archive";
const nameLength = 100;
const prefixLength = 155;
/** Limits of eleven octal digits and a space, and of twelve digits. */
const sizeLimits = [8 ** 11, 8 ** 12] as const;

/**
 * The header block of an entry.
 * @throws TypeError or RangeError if path, size or an option is not valid
 */
export function toHeader({ path, size, options = {} }: TarStreamInput): Uint8Array_ {
  const { mode = 0o644, mtime = Math.floor(Date.now() / 1000) } = options;
  const block = new Uint8Array(512);
  const { prefix, name } = splitPath(encode(path));
  block.set(name);
  put(block, 100, `${[digits("mode", mode, 6), "000000", "000000"].join(" \0")} \0`);
  put(block, 124, sizeField(size));
  put(block, 136, `${digits("mtime", mtime, 11)} `);
  put(block, 148, "        0");
  put(block, 257, "ustar\u000000");
  block.set(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(block, 148, `${octal(sum, 6)}\0`);
  return block;
}

/** As name, or split at the leftmost slash that leaves a name of at most 99 bytes. */
function splitPath(path: Uint8Array_): { prefix: Uint8Array_; name: Uint8Array_ } {
  if (path.length <= nameLength) return { prefix: new Uint8Array(0), name: path };
  const slash = path.indexOf(0x2f, path.length - nameLength);
  if (path.length > prefixLength + 1 + nameLength || slash < 0) {
    throw new RangeError(
      `${cannot}: a path of ${path.length} bytes cannot be cut into 155 and 100`,
    );
  }
  if (slash > prefixLength) {
    throw new TypeError(`${cannot}: the path's first part has ${slash} of 155 bytes`);
  }
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

function sizeField(size: number): string {
  if (!Number.isInteger(size) || size < 0 || size >= sizeLimits[1]) {
    throw new RangeError(`${cannot}: the size is ${size}, below 64 GiB is allowed`);
  }
  return size < sizeLimits[0] ? `${octal(size, 11)} ` : octal(size, 12);
}

function digits(name: string, value: number, count: number): string {
  if (value >= 0 && value < 8 ** count) return octal(value, count);
  throw new TypeError(`${cannot}: ${name} ${value} has not 1 to ${count} octal digits`);
}

function put(block: Uint8Array, offset: number, ascii: string): void {
  block.set(encode(ascii), offset);
}

function octal(value: number, digits: number): string {
  return Math.trunc(value).toString(8).padStart(digits, "0");
}

function encode(text: string): Uint8Array_ {
  return new TextEncoder().encode(text);
}
