/** The only response that part_connection.ts accepts: 206 with exactly the requested bytes. */
import { Buffer } from "node:buffer";

export interface PartHead {
  /** Length of the head in bytes. */
  length: number;
  /** Size of the whole blob in bytes. */
  size: number;
  /** Whether the connection closes after the part. */
  isLast: boolean;
}

const end = "\r\n\r\n";

/**
 * The head of the response to a request for `length` bytes from `from` on, or why it is none.
 * Source: RFC 9112 sections 4, 5 and 6.
 */
export function readPartHead(
  bytes: Uint8Array,
  from: number,
  length: number,
): PartHead | "incomplete" | "other" {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const stop = text.indexOf(end);
  if (stop < 0) return "incomplete";
  const [status = "", ...lines] = text.slice(0, stop).split("\r\n");
  const fields = readFields(lines);
  if (!/^HTTP\/1\.1 206(?: |$)/.test(status) || fields === undefined) return "other";
  if (!isPlain(fields) || fields.get("content-length") !== String(length)) return "other";
  const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(fields.get("content-range") ?? "");
  const [first, last, size = NaN] = range?.slice(1).map(Number) ?? [];
  if (first !== from || last !== from + length - 1) return "other";
  const isLast = fields.get("connection")?.toLowerCase() === "close";
  return { length: stop + end.length, size, isLast };
}

/** Fields by lowercase name; undefined if a line is invalid or a relevant name is repeated. */
function readFields(lines: readonly string[]): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):[\t ]*(.*?)[\t ]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const known = name.toLowerCase();
    if (decisive.includes(known) && fields.has(known)) return undefined;
    fields.set(known, value);
  }
  return fields;
}

const decisive = [
  "content-length",
  "content-range",
  "transfer-encoding",
  "content-encoding",
  "connection",
];

/** Anything encoded is left to node:http. */
function isPlain(fields: Map<string, string>): boolean {
  if (fields.has("transfer-encoding")) return false;
  if ((fields.get("content-encoding") ?? "identity") !== "identity") return false;
  return /^(?:keep-alive|close)$/i.test(fields.get("connection") ?? "keep-alive");
}
