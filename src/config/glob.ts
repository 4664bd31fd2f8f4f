/**
 * Globs of a source's `include` and `exclude`. Names below a source may be hostile, so a glob is
 * matched with sets of positions, never backtracking: the time grows with the length of the
 * name times that of the glob.
 *
 * Supported: `*`, `?`, `[a-z]`, `[!a]`, `**` as a whole part, `{a,b}`, `{1..3}`, and `@(a|b)` with
 * `?`, `*`, `+` or `!` in place of `@`, as in bash and minimatch. Hidden names are matched like any
 * other.
 */
import { expandBraces, parsePart, type Token } from "./glob_pattern.ts";

const maxLength = 1000;
/** Of all braces of a glob. */
const maxAlternatives = 1000;

/** Why a glob over paths below a source, with `/` on every system, is not valid; or undefined. */
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
  return expandBraces(glob, maxAlternatives) === undefined
    ? `its braces have more than ${maxAlternatives} alternatives`
    : undefined;
}

/**
 * Whether a glob without faults matches a whole path below the source.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * const matches = globMatcher("vex/{2025,2026}/*.json");
 * equal(matches("vex/2026/a.json"), true);
 * equal(matches("vex/2026/b/a.json"), false);
 * ```
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
/** Where a match of the pattern so far may end. */
type Ends = ReadonlySet<number>;

/** Numbers of parts. */
function matchesParts(pattern: Pattern, parts: readonly string[]): boolean {
  const last = pattern.length - 1;
  const ends = pattern.reduce((from: Ends, one, at) => {
    // At the end it matches at least one part: `a/**` matches everything in `a`, but not `a`.
    if (one === "**") return onwards(Math.min(...from) + (at === last ? 1 : 0), parts.length);
    const next = from.values().filter((i) => i < parts.length && matchesPart(one, parts[i]!));
    return new Set(next.map((i) => i + 1));
  }, new Set([0]));
  return ends.has(parts.length);
}

function matchesPart(tokens: readonly Token[], text: string): boolean {
  return endsOf(tokens, text, new Set([0])).has(text.length);
}

/** Positions in `text`. */
function endsOf(tokens: readonly Token[], text: string, starts: Ends): Ends {
  return tokens.reduce((from, token) => step(token, text, from), starts);
}

function step(token: Token, text: string, from: Ends): Ends {
  if (token.kind === "star") return onwards(Math.min(...from), text.length);
  if (token.kind === "one") {
    const next = from.values().filter((i) => i < text.length && token.takes(text.charAt(i)));
    return new Set(next.map((i) => i + 1));
  }
  const once = (starts: Ends) =>
    token.parts.map((one) => endsOf(one, text, starts)).reduce((all, more) => all.union(more));
  if (token.sign === "@") return once(from);
  if (token.sign === "?") return from.union(once(from));
  if (token.sign === "!") return allBut(once, from, text.length);
  return repeated(once, token.sign === "*" ? from : once(from));
}

/** For each start by itself, all ends up to `last` except those that `once` finds. */
function allBut(once: (starts: Ends) => Ends, from: Ends, last: number): Ends {
  const ends = new Set<number>();
  for (const start of from) {
    const taken = once(new Set([start]));
    for (let end = start; end <= last; end++) if (!taken.has(end)) ends.add(end);
  }
  return ends;
}

/** Repeats until nothing is added: at most once per position. */
function repeated(once: (starts: Ends) => Ends, from: Ends): Ends {
  const all = from.union(once(from));
  return all.size === from.size ? from : repeated(once, all);
}

/** All positions from one on; none from Infinity, the smallest of no positions. */
function onwards(from: number, to: number): Set<number> {
  return new Set(Array.from({ length: Math.max(0, to + 1 - from) }, (_, i) => from + i));
}
