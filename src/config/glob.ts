/**
 * Globs of a source's `include` and `exclude`. Names below a source may be hostile, so a glob is
 * matched with sets of positions and without backtracking: the time grows with the length of the
 * name times that of the glob.
 *
 * Supported: `*`, `?`, `[a-z]`, `[!a]`, `**` as a whole part, `{a,b}`, `{1..3}`, and `@(a|b)` with
 * `?`, `*`, `+` or `!` in place of `@`, as in bash and minimatch. Hidden names are matched like any
 * other.
 */
import { expandBraces, parsePart, type Token } from "./glob_pattern.ts";

const maxLength = 1000;
/** Limit for the alternatives of all braces of a glob. */
const maxAlternatives = 1000;

/**
 * Why a glob is not valid, or undefined. Globs are matched against paths below a source, with `/`
 * on every system.
 */
export function globFault(glob: string): string | undefined {
  if (glob === "") return "it is empty";
  if (glob.length > maxLength) return `it is longer than ${maxLength} characters`;
  if (glob.startsWith("/")) return "it is absolute: write it as below the source";
  // No packed name contains these characters; on Windows a backslash would be a separator.
  const odd = /[\\:]/.exec(glob);
  if (odd) return `it has the character ${odd[0]}`;
  const parts = glob.split("/");
  if (parts.includes("..") || parts.includes(".")) return "it has the part . or ..";
  if (parts.includes("")) {
    return "it has an empty part: a directory is named without a / at the end";
  }
  if (expandBraces(glob, maxAlternatives) === undefined) {
    return `its braces have more than ${maxAlternatives} alternatives`;
  }
  return undefined;
}

/**
 * Compiles a glob without faults.
 * @returns whether it matches a whole path below the source, with `/`
 */
export function globMatcher(glob: string): (path: string) => boolean {
  const patterns = (expandBraces(glob, maxAlternatives) ?? []).map((one) =>
    one.split("/").map((part) => part === "**" ? "**" : parsePart(part))
  );
  return (path) => {
    const parts = path.split("/");
    return patterns.some((pattern) => matchesParts(pattern, parts));
  };
}

type Pattern = readonly ("**" | readonly Token[])[];

/** `reached[i]`: the pattern so far matches the first `i` parts. */
function matchesParts(pattern: Pattern, parts: readonly string[]): boolean {
  let reached = new Uint8Array(parts.length + 1);
  reached[0] = 1;
  pattern.forEach((one, at) => {
    const next = new Uint8Array(parts.length + 1);
    for (let i = 0; i <= parts.length; i++) {
      if (reached[i] === 0) continue;
      if (one === "**") {
        // At the end it matches at least one part: `a/**` matches everything in `a`, but not `a`.
        next.fill(1, at === pattern.length - 1 ? i + 1 : i);
        break;
      }
      if (i < parts.length && matchesPart(one, parts[i]!)) next[i + 1] = 1;
    }
    reached = next;
  });
  return reached[parts.length] === 1;
}

function matchesPart(tokens: readonly Token[], text: string): boolean {
  const start = new Uint8Array(text.length + 1);
  start[0] = 1;
  return endsOf(tokens, text, start)[text.length] === 1;
}

/** Where matches that start at one of `starts` can end; both have a flag per position in `text`. */
function endsOf(tokens: readonly Token[], text: string, starts: Uint8Array): Uint8Array {
  return tokens.reduce((from, token) => step(token, text, from), starts);
}

function step(token: Token, text: string, from: Uint8Array): Uint8Array {
  const to = new Uint8Array(from.length);
  if (token.kind === "star") {
    const first = from.indexOf(1);
    return first < 0 ? to : to.fill(1, first);
  }
  if (token.kind === "one") {
    for (let i = 0; i < text.length; i++) {
      if (from[i] === 1 && token.takes(text.charAt(i))) to[i + 1] = 1;
    }
    return to;
  }
  const once = (starts: Uint8Array) => union(token.parts.map((one) => endsOf(one, text, starts)));
  if (token.sign === "@") return once(from);
  if (token.sign === "?") return union([from, once(from)]);
  if (token.sign === "!") return allBut(once, from);
  return repeated(once, token.sign === "*" ? from : once(from));
}

/** Repeats until nothing is added: at most once per position. */
function repeated(once: (starts: Uint8Array) => Uint8Array, from: Uint8Array): Uint8Array {
  for (let all = from;;) {
    const more = union([all, once(all)]);
    if (more.every((flag, i) => flag === all[i])) return all;
    all = more;
  }
}

/** For each start by itself, all ends except those that `once` finds. */
function allBut(once: (starts: Uint8Array) => Uint8Array, from: Uint8Array): Uint8Array {
  const to = new Uint8Array(from.length);
  from.forEach((flag, start) => {
    if (flag === 0) return;
    const alone = new Uint8Array(from.length);
    alone[start] = 1;
    const taken = once(alone);
    for (let end = start; end < to.length; end++) if (taken[end] === 0) to[end] = 1;
  });
  return to;
}

function union(all: readonly Uint8Array[]): Uint8Array {
  const [first, ...rest] = all;
  const merged = new Uint8Array(first ?? []);
  for (const one of rest) one.forEach((flag, i) => merged[i]! |= flag);
  return merged;
}
