/**
 * Parses a provider's JSON block by block and keeps only selected parts, so memory depends on what
 * the join uses and not on the file size. The whole file must be valid JSON. Source: RFC 8259.
 */

/** What is kept of a value: a scalar, some members of an object, or all items of an array. */
export type Keep =
  | "scalar"
  | { fields: ReadonlyMap<string, Keep> }
  | { items: Keep };

/** Why a record is invalid, worded to follow its path. */
export class RecordFault extends Error {}

export interface ReadLimits {
  /** Memory budget: a value costs 1, an object or array 3. */
  values: number;
  /** Characters of all kept strings. */
  characters: number;
}

const maxDepth = 100;
const containerCost = 3;
const maxNumberLength = 1000;
/** In place of a container where a scalar is expected; its content is not kept. */
const someObject = Object.freeze({});
const someArray: readonly never[] = Object.freeze([]);

const token = /[-+.0-9A-Za-z]*/y;
const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/;
const number = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const words: Readonly<Record<string, true | false | null>> = {
  true: true,
  false: false,
  null: null,
};

/**
 * Parses the UTF-8 `blocks` as selected by `keep`. Of duplicate members the last counts.
 * @throws RecordFault if it is not JSON, nested too deep, or exceeds `limits`
 */
export function readSelected(
  blocks: Iterable<Uint8Array>,
  keep: Keep,
  limits: ReadLimits,
): unknown {
  const reader = new Reader(blocks, limits);
  const value = reader.value(keep, 0);
  reader.end();
  return value;
}

/** The same for a parsed value. @throws RecordFault */
export function selected(value: unknown, keep: Keep, limits: ReadLimits): unknown {
  let left = limits.values;
  const select = (value: unknown, keep: Keep, depth: number): unknown => {
    if (--left < 0) throw tooMany(limits);
    if (depth > maxDepth) throw tooDeep();
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      return typeof keep === "object" && "items" in keep
        ? value.map((one) => select(one, keep.items, depth + 1))
        : someArray;
    }
    const object: Record<string, unknown> = {};
    if (keep === "scalar" || "items" in keep) return someObject;
    for (const [name, child] of keep.fields) {
      if (Object.hasOwn(value, name)) {
        object[name] = select((value as Record<string, unknown>)[name], child, depth + 1);
      }
    }
    return object;
  };
  return select(value, keep, 0);
}

function tooMany({ values }: ReadLimits): RecordFault {
  return new RecordFault(`holds more than ${values} values`);
}

function tooDeep(): RecordFault {
  return new RecordFault(`is nested deeper than ${maxDepth} levels`);
}

class Reader {
  readonly #blocks: Iterator<Uint8Array>;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #text = "";
  #at = 0;
  /** Characters before `#text`. */
  #before = 0;
  #isEnded = false;
  #values: number;
  #characters: number;

  constructor(blocks: Iterable<Uint8Array>, readonly limits: ReadLimits) {
    this.#blocks = blocks[Symbol.iterator]();
    this.#values = limits.values;
    this.#characters = limits.characters;
  }

  value(keep: Keep | undefined, depth: number): unknown {
    if (depth > maxDepth) throw tooDeep();
    const next = this.#next();
    if (keep !== undefined) this.#spend(next === 0x7b || next === 0x5b ? containerCost : 1);
    if (next === 0x7b) return this.#object(keep, depth);
    if (next === 0x5b) return this.#array(keep, depth);
    if (next === 0x22) return keep === undefined ? this.#skipString() : this.#string();
    return this.#word();
  }

  end(): void {
    if (this.#next() !== -1) this.#fail("text follows the value");
  }

  #object(keep: Keep | undefined, depth: number): unknown {
    const fields = typeof keep === "object" && "fields" in keep ? keep.fields : undefined;
    const object: Record<string, unknown> = fields === undefined ? someObject : {};
    this.#at++;
    if (this.#skip(0x7d)) return object;
    do {
      if (this.#next() !== 0x22) this.#fail("a name is expected");
      const name = fields === undefined ? this.#skipString() : this.#string();
      if (!this.#skip(0x3a)) this.#fail('":" is expected');
      const child = name === undefined ? undefined : fields?.get(name);
      const value = this.value(child, depth + 1);
      // Only names of our schemas: none of them is special to an object.
      if (child !== undefined && name !== undefined) object[name] = value;
    } while (this.#skip(0x2c));
    if (!this.#skip(0x7d)) this.#fail('"," or "}" is expected');
    return object;
  }

  #array(keep: Keep | undefined, depth: number): unknown {
    const items = typeof keep === "object" && "items" in keep ? keep.items : undefined;
    const array: unknown[] = [];
    this.#at++;
    if (this.#skip(0x5d)) return items === undefined ? someArray : array;
    do {
      const value = this.value(items, depth + 1);
      if (items !== undefined) array.push(value);
    } while (this.#skip(0x2c));
    if (!this.#skip(0x5d)) this.#fail('"," or "]" is expected');
    return items === undefined ? someArray : array;
  }

  #string(): string {
    const start = this.#at++;
    let raw = "";
    let from = start;
    for (;;) {
      const code = this.#passPlain();
      if (code === 0x22) break;
      if (code === 0x5c) {
        if (this.#escape()) continue;
      }
      if (this.#at < this.#text.length && code !== 0x5c) this.#fail("a control character");
      raw += this.#text.slice(from, this.#at);
      if (raw.length > this.#characters) this.#tooLong();
      if (!this.#more()) this.#fail("a string has no end");
      from = 0;
    }
    raw += this.#text.slice(from, this.#at++);
    this.#characters -= raw.length;
    if (this.#characters < 0) this.#tooLong();
    // A copy: a slice would keep the whole block in memory.
    return JSON.parse(`${raw}"`);
  }

  #skipString(): undefined {
    this.#at++;
    for (;;) {
      const code = this.#passPlain();
      if (code === 0x22) break;
      if (code === 0x5c) {
        if (this.#escape()) continue;
      } else if (this.#at < this.#text.length) this.#fail("a control character");
      if (!this.#more()) this.#fail("a string has no end");
    }
    this.#at++;
    return undefined;
  }

  /**
   * Skips everything but quotes, backslashes and control characters.
   * @returns the next character; NaN at the end of the text
   */
  #passPlain(): number {
    const text = this.#text;
    let at = this.#at;
    let code = text.charCodeAt(at);
    while (code >= 0x20 && code !== 0x22 && code !== 0x5c) code = text.charCodeAt(++at);
    this.#at = at;
    return code;
  }

  /** Skips an escape; false if its end has not been read yet. */
  #escape(): boolean {
    const found = escape.exec(this.#text.slice(this.#at, this.#at + 6));
    if (found !== null) {
      this.#at += found[0].length;
      return true;
    }
    if (this.#text.length - this.#at >= 6) this.#fail("a wrong escape");
    return false;
  }

  #word(): unknown {
    let text = "";
    for (;;) {
      const from = this.#at;
      this.#match(token);
      text += this.#text.slice(from, this.#at);
      if (this.#at < this.#text.length || text.length > maxNumberLength || !this.#more()) break;
    }
    if (Object.hasOwn(words, text)) return words[text];
    if (text.length > maxNumberLength || !number.test(text)) this.#fail("a value is expected");
    return Number(text);
  }

  /** The next character that is not white space; -1 at the end. */
  #next(): number {
    for (;;) {
      while (this.#at < this.#text.length) {
        const code = this.#text.charCodeAt(this.#at);
        if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
        this.#at++;
      }
      if (!this.#more()) return -1;
    }
  }

  #skip(code: number): boolean {
    if (this.#next() !== code) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
  }

  /** Reads the next block and drops consumed text; false at the end. */
  #more(): boolean {
    while (!this.#isEnded) {
      const { done, value } = this.#blocks.next();
      this.#isEnded = done === true;
      const piece = this.#decoded(done ? undefined : value);
      if (piece === "") continue;
      this.#before += this.#at;
      this.#text = this.#text.slice(this.#at) + piece;
      this.#at = 0;
      return true;
    }
    return false;
  }

  #decoded(block: Uint8Array | undefined): string {
    try {
      return block === undefined
        ? this.#decoder.decode()
        : this.#decoder.decode(block, { stream: true });
    } catch {
      throw new RecordFault("is not JSON: the text is not UTF-8");
    }
  }

  #spend(cost: number): void {
    this.#values -= cost;
    if (this.#values < 0) throw tooMany(this.limits);
  }

  #tooLong(): never {
    throw new RecordFault(`holds more than ${this.limits.characters} characters of text`);
  }

  #fail(reason: string): never {
    throw new RecordFault(`is not JSON: ${reason} at character ${this.#before + this.#at + 1}`);
  }
}
