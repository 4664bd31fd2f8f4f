/** Parses globs: expands braces, and splits a part of a path into tokens. */

export type Token =
  | { kind: "star" }
  | { kind: "one"; takes: (character: string) => boolean }
  /** `@(a|b)`: once; `?()`: at most once; `*()`, `+()`: repeated; `!()`: anything else. */
  | { kind: "group"; sign: string; parts: readonly (readonly Token[])[] };

/** All globs that the braces of one expand to, as in bash; undefined if more than `max`. */
export function expandBraces(glob: string, max: number): string[] | undefined {
  for (let open = glob.indexOf("{"); open >= 0; open = glob.indexOf("{", open + 1)) {
    const close = closing(glob, open, "{", "}");
    if (close < 0) continue;
    const inner = glob.slice(open + 1, close);
    const alternatives = splitAt(inner, ",", "{", "}");
    const choices = alternatives.length > 1 ? alternatives : rangeOf(inner);
    if (choices === undefined) continue;
    return each(choices, glob.slice(0, open), glob.slice(close + 1), max);
  }
  return [glob];
}

function each(choices: string[], before: string, after: string, max: number) {
  const all: string[] = [];
  for (const choice of choices) {
    const expanded = expandBraces(before + choice + after, max - all.length);
    if (expanded === undefined || all.length + expanded.length > max) return undefined;
    all.push(...expanded);
  }
  return all;
}

/** `1..3` and `a..c`, with a step as in `1..9..2`. */
function rangeOf(text: string): string[] | undefined {
  const found = /^(?:(-?\d{1,6})\.\.(-?\d{1,6})|([a-zA-Z])\.\.([a-zA-Z]))(?:\.\.(-?\d{1,6}))?$/
    .exec(text);
  if (found === null) return undefined;
  const [, low = "", high = "", from = "", to = "", stride = "1"] = found;
  const isNumber = low !== "";
  const [start, end] = isNumber ? [+low, +high] : [from.charCodeAt(0), to.charCodeAt(0)];
  const isPadded = [low, high].some((one) => /^-?0\d/.test(one));
  const width = isPadded ? Math.max(low.length, high.length) : 0;
  const step = Math.max(1, Math.abs(Number(stride)));
  const count = Math.min(Math.floor(Math.abs(end - start) / step) + 1, 1001);
  return Array.from({ length: count }, (_, i) => {
    const value = start + (end < start ? -1 : 1) * i * step;
    if (!isNumber) return String.fromCharCode(value);
    const digits = String(Math.abs(value)).padStart(width - (value < 0 ? 1 : 0), "0");
    return value < 0 ? `-${digits}` : digits;
  });
}

/** One part of a path, without braces. */
export function parsePart(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const [token, end] = tokenAt(text, at);
    tokens.push(token);
    at = end;
  }
  return tokens;
}

/** @returns the token, and where the next one begins */
function tokenAt(text: string, at: number): [Token, number] {
  const character = text.charAt(at);
  if (text[at + 1] === "(" && "@?*+!".includes(character)) {
    const close = closing(text, at + 1, "(", ")");
    if (close > 0) {
      const parts = splitAt(text.slice(at + 2, close), "|", "(", ")").map(parsePart);
      return [{ kind: "group", sign: character, parts }, close + 1];
    }
  }
  if (character === "*") return [{ kind: "star" }, at + 1];
  if (character === "?") return [{ kind: "one", takes: () => true }, at + 1];
  if (character === "[") {
    const found = classAt(text, at);
    if (found !== undefined) return found;
  }
  return [{ kind: "one", takes: (one) => one === character }, at + 1];
}

const classNames: Readonly<Record<string, RegExp>> = {
  alnum: /[\p{L}\p{Nl}\p{Nd}]/u,
  alpha: /[\p{L}\p{Nl}]/u,
  blank: /[\p{Zs}\t]/u,
  cntrl: /\p{Cc}/u,
  digit: /\p{Nd}/u,
  lower: /\p{Ll}/u,
  punct: /\p{P}/u,
  space: /[\p{Z}\t\r\n\v\f]/u,
  upper: /\p{Lu}/u,
  word: /[\p{L}\p{Nl}\p{Nd}\p{Pc}]/u,
  xdigit: /[A-Fa-f0-9]/,
};

/** `[...]` at `at`; undefined if it is not closed: then the bracket is literal. */
function classAt(text: string, at: number): [Token, number] | undefined {
  const isNegated = text[at + 1] === "!" || text[at + 1] === "^";
  const tests: ((character: string) => boolean)[] = [];
  const first = at + (isNegated ? 2 : 1);
  for (let i = first; i < text.length;) {
    if (text[i] === "]" && i > first) {
      const takes = (one: string) => tests.some((test) => test(one)) !== isNegated;
      return [{ kind: "one", takes }, i + 1];
    }
    const named = /^\[:(\w+):\]/.exec(text.slice(i, i + 12));
    const pattern = classNames[named?.[1] ?? ""];
    if (named !== null && pattern !== undefined) {
      tests.push((one) => pattern.test(one));
      i += named[0].length;
      continue;
    }
    const isRange = text[i + 1] === "-" && i + 2 < text.length && text[i + 2] !== "]";
    const [low, high] = [text.charAt(i), text.charAt(isRange ? i + 2 : i)];
    tests.push((one) => low <= one && one <= high);
    i += isRange ? 3 : 1;
  }
  return undefined;
}

/** Position of the bracket that closes the one at `open`, or -1. */
function closing(text: string, open: number, opener: string, closer: string): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === opener) depth++;
    if (text[i] === closer && --depth === 0) return i;
  }
  return -1;
}

/** Splits outside brackets. */
function splitAt(text: string, separator: string, opener: string, closer: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if (character === opener) depth++;
    if (character === closer) depth--;
    if (character === separator && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}
