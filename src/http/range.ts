/** One range of a representation. Source: RFC 9110 sections 14.1.2 and 14.2. */

/** Bytes [from, to). */
export type ByteRange = [from: number, to: number];

/** Undefined stands for everything, also with several ranges or an invalid header. */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const parts = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? "");
  const [, first = "", last = ""] = parts ?? [];
  if (parts === null || (first === "" && last === "")) return undefined;
  if (first === "") {
    const count = Math.min(Number(last), size);
    return count === 0 ? "unsatisfiable" : [size - count, size];
  }
  const from = Number(first);
  const to = last === "" ? size : Math.min(Number(last) + 1, size);
  if (last !== "" && Number(last) < from) return undefined;
  return from >= size ? "unsatisfiable" : [from, to];
}

/** Whether a list of entity tags contains `tag`, compared weakly (section 13.1.2). */
export function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").map((one) => one.trim().replace(/^W\//, ""))
    .some((one) => one === "*" || one === tag);
}
