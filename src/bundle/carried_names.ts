/**
 * Names that a payload cannot hold, percent-encoded, for sources whose file names have a place
 * beside them for the true ones. What is encoded can be decoded: a percent sign is encoded too.
 * Source: RFC 3986 section 2.1.
 */
import { pathFault } from "../domain/paths.ts";

const encoder = new TextEncoder();
const refused = /[%\\:*?"<>|]/g;
const last = /[. ]$/;

/** A path of the file system, part by part. */
export function carriedPath(path: string): string {
  return path.split("/").map(carriedName).join("/");
}

/** The name itself where it can be carried; else what of it is refused is `%XX` in UTF-8. */
export function carriedName(name: string): string {
  // No UTF-8: what the system made of it cannot be opened, and is refused as it is.
  if (name.includes("\ufffd")) return name;
  const plain = name.replace(refused, encoded);
  if (pathFault(plain) === undefined || plain === "-") return plain;
  const ended = plain.replace(last, encoded);
  if (pathFault(ended) === undefined) return ended;
  // Controls, marks that no form of Unicode agrees on, and device names by their first letter.
  const ascii = ended.replace(/[^\x20-\x7e]/gu, encoded);
  if (pathFault(ascii) === undefined) return ascii;
  return ascii.replace(/^[A-Za-z.]/, encoded).replace(last, encoded);
}

function encoded(character: string): string {
  return [...encoder.encode(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
