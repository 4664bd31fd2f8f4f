/**
 * Names in one directory that a case-insensitive or normalizing file system cannot tell apart:
 * unpacked there, one file would replace the other. Exports and verifications refuse them.
 *
 * A map of a million folded names would need more memory than the rest of the work. A hash per file
 * and directory needs nine megabytes; only names that share a hash are compared, in a second pass.
 */
import { folded } from "../domain/paths.ts";

/** Random seeds: whoever chooses the names cannot cause many collisions. */
const [startA = 0, startB = 0] = crypto.getRandomValues(new Uint32Array(2));

/** A directory and the hash state of the path to it. */
interface FolderSums {
  /** Ends with a slash. */
  prefix: string;
  a: number;
  b: number;
}

const root: FolderSums = { prefix: "", a: startA, b: startB };

/** Visits each file and directory of sorted paths once, with a hash of its folded path. */
class Names {
  /** The directories of the last path, outermost first. */
  readonly #folders: FolderSums[] = [];
  #a = 0;
  #b = 0;

  /** @param on called with the hash and the path of each name */
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

  /** The innermost directory shared with the previous path. */
  #commonFolder(path: string): FolderSums {
    for (;;) {
      const last = this.#folders.at(-1);
      if (last === undefined) return root;
      if (path.startsWith(last.prefix)) return last;
      this.#folders.pop();
    }
  }

  /** A hash of 52 bits of the folded characters in between; ASCII is folded on the fly. */
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

  /** Hashes a terminating zero, which no name contains. */
  #ended(a: number, b: number): number {
    this.#a = Math.imul(a, 0x01000193);
    this.#b = Math.imul(b, 0x85ebca6b) ^ (b >>> 15);
    return (this.#a >>> 0) * 2 ** 20 + (this.#b >>> 12);
  }
}

/** First pass: hashes only. */
export class NameHashes {
  readonly #names = new Names();
  #numbers = new Float64Array(1024);
  #count = 0;

  /** @param path must follow the previous one in bytewise order */
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

  /** The hashes that occur more than once. */
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

/** Names kept for comparison; a valid index has hardly any. */
const maxCompared = 50_000;

/** Second pass: which names with the same hash really collide. */
export class CollisionSearch {
  readonly #names = new Names();
  readonly #seen = new Map<string, string>();

  constructor(readonly shared: ReadonlySet<number>) {}

  /** Whether the limit was reached; then not all collisions were found. */
  get isFull(): boolean {
    return this.#seen.size >= maxCompared;
  }

  /** Pairs of a name and the first one that collides with it, or that is the same. */
  add(path: string): [name: string, other: string][] {
    const pairs: [string, string][] = [];
    this.#names.visit(path, (number, name) => {
      if (!this.shared.has(number)) return;
      const form = name.split("/").map(folded).join("\0");
      const other = this.#seen.get(form);
      if (other !== undefined) pairs.push([name, other]);
      else if (!this.isFull) this.#seen.set(form, name);
    });
    return pairs;
  }
}

/** The collisions among names of one directory; a name that comes twice is one, too. */
export function caseCollisions(names: readonly string[]): [name: string, other: string][] {
  const hashes = new NameHashes();
  names.forEach((name) => hashes.add(name));
  const search = new CollisionSearch(hashes.shared());
  return search.shared.size === 0 ? [] : names.flatMap((name) => search.add(name));
}
