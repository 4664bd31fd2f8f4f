/**
 * Detects rejected CVEs: no format has a field for that, and all repeat the wording of the CVE
 * list.
 */
const rejection =
  /^\W*(?:reject(?:ed)?\b\W*(?:reason\b|do not use|this (?:cve|candidate)|$)|\*\* ?reject)/i;
const stars = /^\s*\*+\s*REJECT(?:ED)?\s*\*+/i;

export function isRejection(text: unknown): boolean {
  if (typeof text !== "string") return false;
  const head = text.slice(0, 200);
  return stars.test(head) || rejection.test(head);
}
