/** A bounded list of findings: an attacker decides how many there are. */
import type { ErrorCode, Finding } from "../domain/errors.ts";

/** Number of findings kept individually; a million missing files must not fill the memory. */
const maxFindings = 10_000;

export class Findings {
  readonly #list: Finding[] = [];
  /** Number of further findings per code: the exit code must not depend on their order. */
  readonly #unlisted = new Map<ErrorCode, number>();

  get none(): boolean {
    return this.#list.length === 0;
  }

  add(finding: Finding): void {
    if (this.#list.length < maxFindings) this.#list.push(finding);
    else this.#count(finding.code, 1);
  }

  /** Adds all findings of `other` with their codes mapped. */
  take(other: Findings, change: (code: ErrorCode) => ErrorCode): void {
    for (const finding of other.#list) this.add({ ...finding, code: change(finding.code) });
    for (const [code, count] of other.#unlisted) this.#count(change(code), count);
  }

  /** All findings, followed by one for each code of which there are more than listed. */
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
