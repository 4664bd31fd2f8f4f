/** What names a vulnerability or a record: CVE ids, and ids of other systems. */

const cvePattern = /^CVE-\d{4}-\d{4,19}$/;
const anyCase = /^cve-\d{4}-\d{4,19}$/i;
/** What was meant as a CVE id and is none would be found by nobody who asks for the CVE. */
const misspelled = /^cve[^\p{L}]/iu;
/** `DEBIAN-CVE-2016-1585`: the record of another system about that CVE. */
const derived = /^[A-Z]+-(CVE-\d{4}-\d{4,19})$/;
const ghsa = /^GHSA(?:-[a-z0-9]{4}){3}$/i;
const maxLength = 128;
/** Nothing that ends a word in a list, quotes it, or is not seen. */
const unfit =
  // deno-lint-ignore no-control-regex -- these are exactly the characters that are refused
  /[\u0000-\u001f\u007f-\u00a0",;<>\\`{|}\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\p{Cs}]/u;

export function isCve(text: string): boolean {
  return cvePattern.test(text);
}

/**
 * Letters first, a digit somewhere (GitHub's may have none), blanks inside only, at most 128
 * characters.
 */
export function isId(text: unknown): text is string {
  return typeof text === "string" && text.length <= maxLength && /^\p{L}/u.test(text) &&
    (/\d/.test(text) || ghsa.test(text)) && !text.endsWith(" ") && !unfit.test(text) &&
    (anyCase.test(text) || !misspelled.test(text));
}

/**
 * What a publisher may call its own document: any visible text. Source: CSAF 2.0 section
 * 3.2.1.12.4.
 */
export function isName(text: unknown): text is string {
  // deno-lint-ignore no-control-regex -- these are exactly the characters that are refused
  return typeof text === "string" && /^\S(?:.*\S)?$/u.test(text) && !/[\u0000-\u001f]/.test(text) &&
    text.length <= 2 * maxLength;
}

/** A CVE in its one spelling; other ids as they are. */
export function canonical(id: string): string {
  return anyCase.test(id) ? id.toUpperCase() : id;
}

/** Two spellings of one id have the same key. */
export function keyOf(id: string): string {
  return id.toUpperCase();
}

/** The CVE that the name of another system's record tells. */
export function derivedFrom(id: string): string | undefined {
  return derived.exec(id)?.[1];
}
