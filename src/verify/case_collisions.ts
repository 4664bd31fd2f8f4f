/**
 * Names of one directory that a file system which does not tell case or form apart could not keep
 * apart: unpacked there, one file would take the place of the other. An export refuses them, so
 * whoever signed such an index did not make it with stella.
 *
 * A map of a million folded names would cost more memory than all else in a verification. A number
 * for each name and each directory costs nine megabytes; only names that share one are looked at
 * again, in a second reading of the index.
 */
import { folded } from "../domain/paths.ts";

/**
 * Who chooses names cannot know where the sums begin, and so cannot make many names share a number.
 */
const [startA = 0, startB = 0] = crypto.getRandomValues(new Uint32Array(2));

/** A directory and the sums of the names that lead to it. */
interface FolderSums {
  /** With a slash at the end. */
  prefix: string;
  a: number;
  b: number;
}

const root: FolderSums = { prefix: "", a: startA, b: startB };

/**
 * Gives each file and each directory of sorted paths once, with a number that follows from its
 * folded names.
 */
class Names {
  /** The directories of the last path, outermost first. */
  readonly #folders: FolderSums[] = [];
  #a = 0;
  #b = 0;

  /** @param on told the number of a name and its whole path */
  visit(path: string, on: (number: number, path: string) => void): void {
    let folder = this.#commonFolder(path);
    ({ a: this.#a, b: this.#b } = folder);
    let from = folder.prefix.length;
    for (let at = path.indexOf("/", from); at >= 0; at = path.indexOf("/", from)) {
      on(this.#number(path, from, at), path.slice(0, at));
      from = at + 1;
      folder = { prefix: path.slice(0, from), a: this.#a, b: this.#b };
      this.#folders.push(folder);
    }
    on(this.#number(path, from, path.length), path);
  }

  /** The innermost directory that the path shares with the one before. */
  #commonFolder(path: string): FolderSums {
    for (;;) {
      const last = this.#folders.at(-1);
      if (last === undefined) return root;
      if (path.startsWith(last.prefix)) return last;
      this.#folders.pop();
    }
  }

  /**
   * Adds the name between two places of a path, folded. Most names are ASCII, and folded on the
   * way.
   * @returns 52 bits
   */
  #number(path: string, from: number, to: number): number {
    let [a, b] = [this.#a, this.#b];
    for (let i = from; i < to; i++) {
      let unit = path.charCodeAt(i);
      if (unit > 0x7f) return this.#foldedNumber(folded(path.slice(from, to)));
      if (unit >= 0x41 && unit <= 0x5a) unit += 0x20;
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x85ebca6b);
    }
    return this.#ended(a, b);
  }

  #foldedNumber(name: string): number {
    let [a, b] = [this.#a, this.#b];
    for (let i = 0; i < name.length; i++) {
      a = Math.imul(a ^ name.charCodeAt(i), 0x01000193);
      b = Math.imul(b ^ name.charCodeAt(i), 0x85ebca6b);
    }
    return this.#ended(a, b);
  }

  /** As a zero after the name, which no name has. */
  #ended(a: number, b: number): number {
    this.#a = Math.imul(a, 0x01000193);
    this.#b = Math.imul(b, 0x85ebca6b) ^ (b >>> 15);
    return (this.#a >>> 0) * 2 ** 20 + (this.#b >>> 12);
  }
}

/** The first reading: numbers alone. */
export class NameHashes {
  readonly #names = new Names();
  #numbers = new Float64Array(1024);
  #count = 0;

  /** @param path after the one before it in bytewise order */
  add(path: string): void {
    this.#names.visit(path, this.#keep);
  }

  readonly #keep = (number: number) => {
    if (this.#count === this.#numbers.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#count++] = number;
  };

  /** The numbers that several names have. */
  shared(): Set<number> {
    const sorted = this.#numbers.subarray(0, this.#count).sort();
    const shared = new Set<number>();
    for (let i = 1; i < sorted.length; i++) {
      const number = sorted[i] ?? 0;
      if (number === sorted[i - 1]) shared.add(number);
    }
    return shared;
  }
}

/** Names that are kept for comparison; a sound index has hardly one. */
const maxCompared = 50_000;

/** The second reading: which names share a number because they are twins. */
export class CollisionSearch {
  readonly #names = new Names();
  readonly #seen = new Map<string, string>();

  constructor(readonly shared: ReadonlySet<number>) {}

  /**
   * Whether more names were to be compared than memory is given for; then not all twins were found.
   */
  get isFull(): boolean {
    return this.#seen.size >= maxCompared;
  }

  /** @returns pairs of a name and an earlier one that is its twin */
  add(path: string): [name: string, other: string][] {
    const pairs: [string, string][] = [];
    this.#names.visit(path, (number, name) => {
      if (!this.shared.has(number)) return;
      const form = name.split("/").map(folded).join("\0");
      const other = this.#seen.get(form);
      if (other !== undefined && other !== name) pairs.push([name, other]);
      if (other === undefined && !this.isFull) this.#seen.set(form, name);
    });
    return pairs;
  }
}
