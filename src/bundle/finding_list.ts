/** A bounded list of findings: an attacker decides how many there are. */
import { type ErrorKind, type Finding, finding, kindOf, type Reason } from "../domain/errors.ts";

/** Number of findings kept individually; a million missing files must not fill the memory. */
const maxFindings = 10_000;

export class Findings {
  readonly #list: Finding[] = [];
  /** Number of further findings per kind: the exit code must not depend on their order. */
  readonly #unlisted = new Map<ErrorKind, number>();

  get none(): boolean {
    return this.#list.length === 0;
  }

  add(found: Finding): void {
    if (this.#list.length < maxFindings) this.#list.push(found);
    else this.#count(found.kind, 1);
  }

  /** Adds all findings of `other`; those of the kinds `changed` get another reason. */
  take(other: Findings, changed: readonly ErrorKind[], reason: Reason): void {
    for (const found of other.#list) {
      this.add(changed.includes(found.kind) ? { ...found, ...finding(reason) } : found);
    }
    for (const [kind, count] of other.#unlisted) {
      this.#count(changed.includes(kind) ? kindOf(reason) : kind, count);
    }
  }

  /** All findings, followed by one for each kind of which there are more than listed. */
  all(): Finding[] {
    const more = [...this.#unlisted].map(([kind, count]): Finding => ({
      kind,
      reason: "more_findings",
      found: `${count} more findings of this kind are not listed`,
    }));
    return [...this.#list, ...more];
  }

  #count(kind: ErrorKind, more: number): void {
    this.#unlisted.set(kind, (this.#unlisted.get(kind) ?? 0) + more);
  }
}
