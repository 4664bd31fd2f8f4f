/**
 * Parses a provider's JSON block by block and keeps only selected parts, so memory depends on what
 * the join uses and not on the file size (250 MiB with little of use: 42 MiB, by JSON.parse 1 GiB).
 * The whole file must be valid JSON. Source: RFC 8259.
 */

/** What is kept of a value: a scalar, some members of an object, or all items of an array. */
export type Keep = "scalar" | { fields: ReadonlyMap<string, Keep> } | { items: Keep };

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

const space = /[ \n\r\t]*/y;
const token = /[-+.0-9A-Za-z]*/y;
// deno-lint-ignore no-control-regex -- a string of JSON has none of these
const plain = /[^"\\\u0000-\u001f]*/y;
const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/;

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
    if (keep !== undefined) this.#spend(next === "{" || next === "[" ? containerCost : 1);
    if (next === "{") return this.#object(keep, depth);
    if (next === "[") return this.#array(keep, depth);
    return next === '"' ? this.#string(keep !== undefined) : this.#word();
  }

  end(): void {
    if (this.#next() !== undefined) this.#fail("text follows the value");
  }

  #object(keep: Keep | undefined, depth: number): unknown {
    const fields = typeof keep === "object" && "fields" in keep ? keep.fields : undefined;
    const object: Record<string, unknown> = fields === undefined ? someObject : {};
    this.#at++;
    if (this.#skip("}")) return object;
    do {
      if (this.#next() !== '"') this.#fail("a name is expected");
      const name = this.#string(fields !== undefined);
      if (!this.#skip(":")) this.#fail('":" is expected');
      const child = name === undefined ? undefined : fields?.get(name);
      const value = this.value(child, depth + 1);
      // Only names of our schemas: none of them is special to an object.
      if (child !== undefined && name !== undefined) object[name] = value;
    } while (this.#skip(","));
    if (!this.#skip("}")) this.#fail('"," or "}" is expected');
    return object;
  }

  #array(keep: Keep | undefined, depth: number): unknown {
    const items = typeof keep === "object" && "items" in keep ? keep.items : undefined;
    const array: unknown[] = [];
    this.#at++;
    if (this.#skip("]")) return items === undefined ? someArray : array;
    do {
      const value = this.value(items, depth + 1);
      if (items !== undefined) array.push(value);
    } while (this.#skip(","));
    if (!this.#skip("]")) this.#fail('"," or "]" is expected');
    return items === undefined ? someArray : array;
  }

  /** Undefined if it is not kept. */
  #string(isKept: boolean): string | undefined {
    let raw = "";
    let from = this.#at++;
    for (;;) {
      this.#pass(plain);
      const next = this.#text[this.#at];
      if (next === '"') break;
      if (next === "\\" && this.#escape()) continue;
      if (next !== undefined && next !== "\\") this.#fail("a control character");
      if (isKept) raw += this.#text.slice(from, this.#at);
      if (raw.length > this.#characters) this.#tooLong();
      if (!this.#more()) this.#fail("a string has no end");
      from = 0;
    }
    const end = this.#at++;
    if (!isKept) return undefined;
    raw += this.#text.slice(from, end);
    this.#characters -= raw.length;
    if (this.#characters < 0) this.#tooLong();
    // A copy: a slice would keep the whole block in memory.
    return JSON.parse(`${raw}"`);
  }

  /** Skips an escape; false if its end has not been read yet. */
  #escape(): boolean {
    const found = escape.exec(this.#text.slice(this.#at, this.#at + 6));
    if (found === null && this.#text.length - this.#at >= 6) this.#fail("an invalid escape");
    this.#at += found?.[0].length ?? 0;
    return found !== null;
  }

  /** A number, true, false or null. */
  #word(): unknown {
    let text = "";
    do {
      const from = this.#at;
      this.#pass(token);
      text += this.#text.slice(from, this.#at);
    } while (this.#isAtEnd() && text.length <= maxNumberLength && this.#more());
    try {
      if (text.length <= maxNumberLength) return JSON.parse(text);
    } catch { /* said below */ }
    this.#fail("a value is expected");
  }

  /** The next character that is not white space; undefined at the end. */
  #next(): string | undefined {
    do this.#pass(space); while (this.#isAtEnd() && this.#more());
    return this.#text[this.#at];
  }

  #skip(character: string): boolean {
    if (this.#next() !== character) return false;
    this.#at++;
    return true;
  }

  #pass(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
  }

  #isAtEnd(): boolean {
    return this.#at === this.#text.length;
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
      return this.#decoder.decode(block, { stream: block !== undefined });
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
