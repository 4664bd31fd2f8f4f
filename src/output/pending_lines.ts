/** Files in the order of the index, whose digests may come later than those of the files after them. */

export interface PendingLine {
  path: string;
  /** Counts the inputs from 0. */
  source: number;
}

interface Slot {
  line: PendingLine;
  sha256: string | undefined;
}

export class PendingLines {
  readonly #slots: Slot[] = [];

  /** @param emit gets the lines in the order in which they were added */
  constructor(readonly emit: (line: PendingLine, sha256: string) => void) {}

  /** @returns to be told the digest, unless it is among those that `digested` brings */
  add(line: PendingLine): (sha256: string) => void {
    const slot: Slot = { line, sha256: undefined };
    this.#slots.push(slot);
    return (sha256) => {
      slot.sha256 = sha256;
      this.#flush();
    };
  }

  /** The digests of the first files that wait for one, in order. */
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
