/** Globs of a source's `include` and `exclude`: what may be written. What they match is in export/selection.ts. */

const longest = 1000;

/** Why a glob cannot be used, in words, or undefined. Globs are held against paths below a source, with `/` on every system. */
export function globFault(glob: string): string | undefined {
  if (glob === "") return "it is empty";
  if (glob.length > longest) return `it is longer than ${longest} characters`;
  if (glob.startsWith("/")) return "it is absolute: write it as below the source";
  // A colon stands for the dot of a hidden name in selection.ts, and no packed name has one.
  const odd = /[\\:]/.exec(glob);
  if (odd) return `it has the character ${odd[0]}`;
  const parts = glob.split("/");
  if (parts.includes("..") || parts.includes(".")) return "it has the part . or ..";
  if (parts.includes("")) {
    return "it has an empty part: a directory is named without a / at the end";
  }
  return undefined;
}
