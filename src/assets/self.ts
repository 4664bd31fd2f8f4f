/**
 * The bytes of the running binary, and the digests that they are compared with.
 *
 * The end of the portable binary: where its parts lie, and the sha256 of every byte before that
 * digest. Written by the build, read by the launcher at each start (places only) and by `stella
 * version --check` (the digest too).
 *
 *   imageOffset, imageSize, scriptOffset, scriptSize (8 bytes each, little endian) | sha256 (32) | "STELLAv1"
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { StellaError } from "../domain/errors.ts";

export const trailerMagic = "STELLAv1";
const placesLength = 32;
/** The digest and the magic number, which the digest does not cover. */
const endLength = 32 + trailerMagic.length;

/** Offsets from the start of the file. */
export interface Places {
  imageOffset: number;
  imageSize: number;
  scriptOffset: number;
  scriptSize: number;
}

export interface SelfCheck {
  ok: boolean;
  /** The file with the expected digest: the program itself, or the one beside it. */
  digestFile: string;
  /** Hex, from the build; absent if the file does not end like a portable stella. */
  expected?: string;
  /** Hex, computed from the file. */
  found: string;
}

/** The first part of the trailer; digest of all bytes up to its end and magic number follow. */
export function encodePlaces(places: Places): Buffer {
  const bytes = Buffer.alloc(placesLength);
  const { imageOffset, imageSize, scriptOffset, scriptSize } = places;
  [imageOffset, imageSize, scriptOffset, scriptSize].forEach((value, index) => {
    bytes.writeBigUInt64LE(BigInt(value), index * 8);
  });
  return bytes;
}

/**
 * Recomputes the digest of a portable binary (97 MB: 0.1 s). It detects accidental damage; whoever
 * can replace the file can replace the digest too, so for trust compare the file with a signed
 * manifest (`stella status --manifest`).
 * @param path the binary's own path; STELLA_SELF in the portable form
 * @throws the system's error if the file cannot be read
 */
export async function checkSelf(path: string): Promise<SelfCheck> {
  const covered = Math.max(0, statSync(path).size - endLength);
  const end = Buffer.concat(await Array.fromAsync(createReadStream(path, { start: covered })));
  const found = await digestOfFile(path, covered);
  if (end.toString("latin1", 32) !== trailerMagic) return { ok: false, digestFile: path, found };
  const expected = end.toString("hex", 0, 32);
  return { ok: expected === found, digestFile: path, expected, found };
}

/**
 * Compares a program without an embedded digest (made by `deno compile`) with PATH.sha256 from the
 * build. The same limits apply.
 * @throws StellaError if no digest is there, the system's error if a file cannot be read
 */
export async function checkBeside(path: string): Promise<SelfCheck> {
  const digestFile = `${path}.sha256`;
  const expected = digestIn(digestFile);
  const found = await digestOfFile(path);
  return { ok: expected === found, digestFile, expected, found };
}

/** In the form of sha256sum: one line for one file. */
function digestIn(path: string): string {
  if (!existsSync(path)) {
    const text = `Cannot check the program: no digest at ${JSON.stringify(path)}`;
    throw new StellaError("path_missing", text, {
      hint: "copy it there from the build, or compare the output of `sha256sum stella` yourself",
    });
  }
  const [, digest] = /^([0-9a-f]{64}) [ *][^\n]+\n?$/.exec(readFileSync(path, "latin1")) ?? [];
  if (digest !== undefined) return digest;
  const text = `Cannot check the program: no sha256 in ${JSON.stringify(path)}`;
  throw new StellaError("digest_file_invalid", text, {
    hint: "copy it again from the build; it has one line, as sha256sum writes it",
  });
}

/** SHA-256 of the first `length` bytes of a file in hex. @throws the system's error */
export async function digestOfFile(path: string, length = Infinity): Promise<string> {
  const hash = createHash("sha256");
  if (length === 0) return hash.digest("hex");
  const stream = createReadStream(path, { end: length - 1, highWaterMark: 1024 * 1024 });
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}
