/** Ids of vulnerabilities and records: CVE ids, and ids of other systems. */

const cvePattern = /^CVE-\d{4}-\d{4,19}$/;
const anyCase = /^cve-\d{4}-\d{4,19}$/i;
/** A misspelled CVE id would never be found by a query for the CVE. */
const misspelled = /^cve[^\p{L}]/iu;
/** `DEBIAN-CVE-2016-1585`: another system's record about that CVE. */
const derived = /^[A-Z]+-(CVE-\d{4}-\d{4,19})$/;
const ghsa = /^GHSA(?:-[a-z0-9]{4}){3}$/i;
const maxLength = 128;
/** Characters that separate or quote words, or are invisible. */
const unfit =
  // deno-lint-ignore no-control-regex -- these are exactly the characters that are refused
  /[\u0000-\u001f\u007f-\u00a0",;<>\\`{|}\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\p{Cs}]/u;

export function isCve(text: string): boolean {
  return cvePattern.test(text);
}

/** Letters first, a digit somewhere (not in GitHub's), blanks only inside, <= 128 characters. */
export function isId(text: unknown): text is string {
  return typeof text === "string" && text.length <= maxLength && /^\p{L}/u.test(text) &&
    (/\d/.test(text) || ghsa.test(text)) && !text.endsWith(" ") && !unfit.test(text) &&
    (anyCase.test(text) || !misspelled.test(text));
}

/** A publisher's name for its document: any visible text. Source: CSAF 2.0, 3.2.1.12.4. */
export function isName(text: unknown): text is string {
  // deno-lint-ignore no-control-regex -- these are exactly the characters that are refused
  return typeof text === "string" && /^\S(?:.*\S)?$/u.test(text) && !/[\u0000-\u001f]/.test(text) &&
    text.length <= 2 * maxLength;
}

/** A CVE in its canonical spelling; other ids unchanged. */
export function canonical(id: string): string {
  return anyCase.test(id) ? id.toUpperCase() : id;
}

/** Two spellings of the same id have the same key. */
export function keyOf(id: string): string {
  return id.toUpperCase();
}

/** The CVE contained in the name of another system's record. */
export function derivedFrom(id: string): string | undefined {
  return derived.exec(id)?.[1];
}
