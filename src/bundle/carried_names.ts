/**
 * Percent-encoding of names that a payload path cannot hold, for sources that record the true names
 * elsewhere. It is reversible: a percent sign is encoded too. Source: RFC 3986 section 2.1.
 */
import { pathFault } from "../domain/paths.ts";

const encoder = new TextEncoder();
const refused = /[%\\:*?"<>|]/g;
const last = /[. ]$/;

/** Encodes a file system path part by part. */
export function carriedPath(path: string): string {
  return path.split("/").map(carriedName).join("/");
}

/** The name itself if it is allowed, else with `%XX` for each byte of a refused character. */
export function carriedName(name: string): string {
  // Not UTF-8: Deno's version of the name cannot be opened, so it is refused unchanged.
  if (name.includes("\ufffd")) return name;
  const plain = name.replace(refused, encoded);
  if (pathFault(plain) === undefined || plain === "-") return plain;
  const ended = plain.replace(last, encoded);
  if (pathFault(ended) === undefined) return ended;
  // Control characters, characters that Unicode forms disagree about, and device names by their
  // first letter.
  const ascii = ended.replace(/[^\x20-\x7e]/gu, encoded);
  if (pathFault(ascii) === undefined) return ascii;
  return ascii.replace(/^[A-Za-z.]/, encoded).replace(last, encoded);
}

function encoded(character: string): string {
  return [...encoder.encode(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
