/**
 * Lines of the index in file order, although the digest of a file may arrive after those of later
 * files.
 */
export interface PendingLine {
  path: string;
  /** Number of the input, from 0. */
  source: number;
}

interface Slot {
  line: PendingLine;
  sha256: string | undefined;
}

export class PendingLines {
  readonly #slots: Slot[] = [];

  /** @param emit called with the lines in the order in which they were added */
  constructor(readonly emit: (line: PendingLine, sha256: string) => void) {}

  /** @returns callback for the digest, unless `digested` will deliver it */
  add(line: PendingLine): (sha256: string) => void {
    const slot: Slot = { line, sha256: undefined };
    this.#slots.push(slot);
    return (sha256) => {
      slot.sha256 = sha256;
      this.#flush();
    };
  }

  /** Delivers the digests of the first files that are waiting for one, in order. */
  digested(digests: readonly string[]): void {
    let given = 0;
    for (const slot of this.#slots) {
      if (given === digests.length) break;
      if (slot.sha256 === undefined) slot.sha256 = digests[given++]!;
    }
    this.#flush();
  }

  #flush(): void {
    let done = 0;
    for (const { line, sha256 } of this.#slots) {
      if (sha256 === undefined) break;
      this.emit(line, sha256);
      done++;
    }
    if (done > 0) this.#slots.splice(0, done);
  }
}
