/**
 * Findings as they come, of which a bounded number is kept: an attacker chooses how many there are.
 */
import type { ErrorCode, Finding } from "../domain/errors.ts";

/**
 * The most findings that are kept one by one; a bundle of a million missing files must not fill the
 * memory.
 */
const maxFindings = 10_000;

export class Findings {
  readonly #list: Finding[] = [];
  /** How many more there were of each code: the exit code must not depend on what came first. */
  readonly #unlisted = new Map<ErrorCode, number>();

  get none(): boolean {
    return this.#list.length === 0;
  }

  add(finding: Finding): void {
    if (this.#list.length < maxFindings) this.#list.push(finding);
    else this.#count(finding.code, 1);
  }

  /** Takes over all of `other`, with its codes changed. */
  take(other: Findings, change: (code: ErrorCode) => ErrorCode): void {
    for (const finding of other.#list) this.add({ ...finding, code: change(finding.code) });
    for (const [code, count] of other.#unlisted) this.#count(change(code), count);
  }

  /** All findings; after the last that is listed, one for each code that has more. */
  all(): Finding[] {
    const more = [...this.#unlisted].map(([code, count]): Finding => ({
      code,
      reason: "more_findings",
      found: `${count} more findings of this kind are not listed`,
    }));
    return [...this.#list, ...more];
  }

  #count(code: ErrorCode, more: number): void {
    this.#unlisted.set(code, (this.#unlisted.get(code) ?? 0) + more);
  }
}
