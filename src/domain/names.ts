/** Names of profiles and tenants, and safe display of untrusted text. */
import { StellaError } from "./errors.ts";

const namePattern = /^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/;

/** Whether `name` is a valid profile or tenant name; paths are built only from such names. */
export function isName(name: string): boolean {
  return namePattern.test(name) && !name.includes("..");
}

/** @throws StellaError usage */
export function checkName(kind: "bundle directory" | "profile" | "tenant", name: string): string {
  if (isName(name)) return name;
  throw new StellaError(
    "name_invalid",
    `Cannot use the ${kind} name ${shown(name)}: not a valid name`,
    {
      hint: "use 1 to 64 of a-z 0-9 . _ - with a letter or digit at both ends and no '..'",
    },
  );
}

// Control characters, soft hyphen, zero-width, bidi and line separators, lone surrogates, tags:
// whatever can move the cursor or hide text.
const unprintable =
  // deno-lint-ignore no-control-regex -- these are exactly the characters that must not reach a terminal
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\ufffb\p{Cs}\u{e0000}-\u{e007f}]/gu;

/** Untrusted text made safe for a terminal or log: special characters become `\u{hex}`. */
export function escaped(text: string): string {
  return text.replace(unprintable, hex);
}

function hex(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/**
 * Quoted, escaped and cut to 120 characters, for messages.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * equal(shown("a\x1b[2Jb"), '"a\\u{1b}[2Jb"');
 * ```
 */
export function shown(text: string): string {
  const cut = text.length > 120 ? text.slice(0, 117) + "..." : text;
  return `"${escaped(cut)}"`;
}

/** JSON that is safe on a terminal: the same value, with special characters in strings escaped. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    unprintable,
    (character) =>
      Array.from(
        { length: character.length },
        (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}
