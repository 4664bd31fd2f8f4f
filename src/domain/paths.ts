/**
 * Payload paths: which are allowed, and their order.
 *
 * A path is refused if a supported system could not hold it or a tool could not check it: a bundle
 * must unpack on ext4, APFS, NTFS and FAT alike, and `sha256sum -c` must be able to read the index.
 */
import { Buffer } from "node:buffer";

const encoder = new TextEncoder();
const maxPartBytes = 255;
const maxPathBytes = 4095;

// Control and bidi characters, line separators, BOM, replacement character, tags, lone surrogates.
const controls =
  // deno-lint-ignore no-control-regex -- these are exactly what is refused
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffd\p{Cs}\u{e0000}-\u{e007f}]/u;
// Windows also ignores spaces before the dot: `nul .txt` is the device.
const windowsDevice = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i;

/**
 * Bytewise order of two paths as UTF-8; JavaScript's own order differs above U+D7FF.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * const [later, earlier] = ["\u{1F600}", "\uFF5E"];
 * equal(comparePaths(later, earlier), 1);
 * equal(later < earlier, true);
 * ```
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    if (x < 0xd800 && y < 0xd800) return x < y ? -1 : 1;
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return Math.sign(a.length - b.length);
}

/** Most paths consist of letters, digits, `_ - .` and slashes and need no further check. */
const harmless = /^(?:[\w-](?:[\w.-]*[\w-])?\/)*[\w-](?:[\w.-]*[\w-])?$/;
const perhapsDevice = /(?:^|\/)(?:con|prn|aux|nul|com|lpt)/i;

/**
 * Why `path` is no valid payload path, or undefined. Order and case are checked by the caller.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * equal(pathFault("advisories/2026.json"), undefined);
 * equal(pathFault("../etc/passwd"), "it has the part ..");
 * ```
 */
export function pathFault(path: string): string | undefined {
  if (
    path.length < maxPartBytes && harmless.test(path) && !perhapsDevice.test(path) && path !== "-"
  ) {
    return undefined;
  }
  if (path === "") return "it is empty";
  if (path === "-") return "sha256sum would read standard input for it";
  if (path.startsWith("/")) return "it is absolute";
  if (controls.test(path)) return "it has a control character or is not UTF-8";
  if (path.normalize("NFC") !== path) return "it is not in Unicode form NFC";
  if (encoder.encode(path).length > maxPathBytes) return `it is longer than ${maxPathBytes} bytes`;
  return firstFault(path.split("/"));
}

function firstFault(parts: string[]): string | undefined {
  for (const part of parts) {
    const fault = partFault(part);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function partFault(part: string): string | undefined {
  if (part === "") return "it has an empty part";
  if (part === "." || part === "..") return `it has the part ${part}`;
  const odd = /[\\:*?"<>|]/.exec(part);
  if (odd) return `it has the character ${odd[0]}`;
  if (/[. ]$/.test(part)) return "a part ends with a dot or a space";
  if (windowsDevice.test(part)) return "a part is a Windows device name";
  if (encoder.encode(part).length > maxPartBytes) {
    return `a part is longer than ${maxPartBytes} bytes`;
  }
  return undefined;
}

/** The form in which names that a case-insensitive file system cannot tell apart are equal. */
export function folded(name: string): string {
  return name.normalize("NFKC").toUpperCase().toLowerCase();
}
