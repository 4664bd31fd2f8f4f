/** One entry of an archive as 512 bytes: POSIX.1-2017, pax, "ustar Interchange Format". */

/** A byte array over an ArrayBuffer that is its own, whatever TypeScript calls it. */
export type Uint8Array_ = ReturnType<Uint8Array["slice"]>;

/** What an entry may say of itself besides path and content. */
export interface TarStreamOptions {
  /** Default 0o644 for files, 0o755 for directories, 0o777 for links; at most six octal digits. */
  mode?: number;
  /** Default 0; at most six octal digits. */
  uid?: number;
  /** Default 0; at most six octal digits. */
  gid?: number;
  /** Seconds since 1970, not negative, at most eleven octal digits; default now. */
  mtime?: number;
  /** At most 31 ASCII characters; default empty. */
  uname?: string;
  /** At most 31 ASCII characters; default empty. */
  gname?: string;
  /** At most 8 characters; default empty. */
  devmajor?: string;
  /** At most 8 characters; default empty. */
  devminor?: string;
}

export interface TarStreamFile {
  type: "file";
  /** Relative to the archive's root. */
  path: string;
  /** Bytes, below 64 GiB; from 8 GiB on the field has twelve digits and no end mark, as the package writes it. */
  size: number;
  readable: ReadableStream<Uint8Array>;
  options?: TarStreamOptions;
}

export interface TarStreamDir {
  type: "directory";
  path: string;
  options?: TarStreamOptions;
}

export interface TarStreamSymlink {
  type: "symlink";
  path: string;
  /** The target: 1 to 100 bytes. */
  linkname: string;
  options?: TarStreamOptions;
}

export type TarStreamInput = TarStreamFile | TarStreamDir | TarStreamSymlink;

const nameLength = 100;
const prefixLength = 155;
/** Eleven octal digits and a space hold less than the first, twelve digits less than the second. */
const sizeLimits = [8 ** 11, 8 ** 12] as const;
const kinds = {
  file: { flag: "0", mode: 0o644 },
  directory: { flag: "5", mode: 0o755 },
  symlink: { flag: "2", mode: 0o777 },
} as const;

/** Throws a TypeError where an option does not fit its field. */
export function assertValidTarStreamOptions(options: TarStreamOptions): void {
  for (const name of ["mode", "uid", "gid"] as const) assertDigits(name, options[name], 6);
  assertDigits("mtime", options.mtime, 11);
  for (const name of ["uname", "gname"] as const) {
    // deno-lint-ignore no-control-regex -- the whole of ASCII is what the field may hold
    assertText(name, options[name], /^[\x00-\x7f]{0,31}$/);
  }
  for (const name of ["devmajor", "devminor"] as const) {
    assertText(name, options[name], /^[^]{0,8}$/);
  }
}

/** Throws a RangeError or TypeError where a path can not be put into the fields name and prefix. */
export function assertValidPath(path: string): void {
  splitPath(encode(path));
}

/** Throws a TypeError unless a link's target has 1 to 100 bytes. */
export function assertValidLinkname(linkname: string): void {
  const { length } = encode(linkname);
  if (length >= 1 && length <= nameLength) return;
  throw new TypeError(
    `Cannot add a link to the archive: its target has ${length} of 1 to 100 bytes`,
  );
}

/** The header block of an entry. */
export function toHeader(input: TarStreamInput): Uint8Array_ {
  const { options = {}, type } = input;
  assertValidTarStreamOptions(options);
  const block = new Uint8Array(512);
  const { prefix, name } = splitPath(encode(input.path));
  block.set(name);
  const owner = `${octal(options.uid ?? 0, 6)} \0${octal(options.gid ?? 0, 6)} \0`;
  put(block, 100, `${octal(options.mode ?? kinds[type].mode, 6)} \0${owner}`);
  put(block, 124, type === "file" ? sizeField(input.size) : sizeField(0));
  put(block, 136, `${octal(options.mtime ?? Math.floor(Date.now() / 1000), 11)} `);
  put(block, 148, `        ${kinds[type].flag}`);
  if (type === "symlink") putLink(block, input.linkname);
  put(block, 257, `ustar\u000000${options.uname ?? ""}`);
  put(block, 297, options.gname ?? "");
  block.set(encode(options.devmajor ?? "").subarray(0, 8), 329);
  block.set(encode(options.devminor ?? "").subarray(0, 8), 337);
  block.set(prefix, 345);
  put(block, 148, `${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0`);
  return block;
}

function assertDigits(name: string, value: number | undefined, digits: number): void {
  if (value === undefined || (value >= 0 && value < 8 ** digits)) return;
  throw new TypeError(
    `Cannot add to the archive: ${name} ${value} has not 1 to ${digits} octal digits`,
  );
}

function assertText(name: string, value: string | undefined, pattern: RegExp): void {
  if (value === undefined || pattern.test(value)) return;
  throw new TypeError(`Cannot add to the archive: ${name} ${JSON.stringify(value)} does not fit`);
}

/** The whole path as name, or cut at the leftmost slash that leaves a name of at most 99 bytes. */
function splitPath(path: Uint8Array_): { prefix: Uint8Array_; name: Uint8Array_ } {
  if (path.length <= nameLength) return { prefix: new Uint8Array(0), name: path };
  const slash = path.indexOf(0x2f, path.length - nameLength);
  if (path.length > prefixLength + 1 + nameLength || slash < 0) {
    throw new RangeError(
      `Cannot add to the archive: a path of ${path.length} bytes cannot be cut into 155 and 100`,
    );
  }
  if (slash > prefixLength) {
    throw new TypeError(
      `Cannot add to the archive: the path's first part has ${slash} of 155 bytes`,
    );
  }
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

function sizeField(size: number): string {
  if (!Number.isInteger(size) || size < 0 || size >= sizeLimits[1]) {
    throw new RangeError(
      `Cannot add a file to the archive: its size is ${size}, below 64 GiB is allowed`,
    );
  }
  return size < sizeLimits[0] ? `${octal(size, 11)} ` : octal(size, 12);
}

function putLink(block: Uint8Array, linkname: string): void {
  assertValidLinkname(linkname);
  block.set(encode(linkname), 157);
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
