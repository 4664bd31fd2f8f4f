/**
 * JSON for signed documents. JSON.parse keeps the last of duplicate keys, rounds large numbers and
 * accepts any depth, so two programs could read two meanings from one signed file. This parser
 * refuses all that, with the position. Source: RFC 8259, with the limits of I-JSON (RFC 7493):
 * unique names, integers within 2^53-1.
 */
import { shown } from "../domain/names.ts";
import type { Json, JsonObject } from "../domain/json.ts";

/** What is wrong, and its byte offset. */
export class JsonFault extends Error {
  constructor(readonly offset: number, reason: string) {
    super(`${reason} at byte ${offset}`);
  }
}

const maxDepth = 32;
/**
 * Memory budget of a document: a value costs 1, an object or array 3. The largest manifest needs
 * less; without a limit, 16 MiB of `{},{},...` in an untrusted manifest would take more than a
 * gigabyte.
 */
const budget = 1 << 20;
const containerCost = 3;

/**
 * Parses UTF-8 JSON strictly. Numbers must be plain decimal integers, because our documents have no
 * others. Objects have no prototype, so no name is special.
 * @throws JsonFault
 * @example
 * ```ts
 * import { throws } from "node:assert/strict";
 * const bytes = new TextEncoder().encode('{"size":1,"size":2}');
 * throws(() => parseStrict(bytes), /Duplicate name "size" at byte 10/);
 * ```
 */
export function parseStrict(bytes: Uint8Array): Json {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonFault(0, "The text is not UTF-8");
  }
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.end();
  return value;
}

const space = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// deno-lint-ignore no-control-regex -- RFC 8259 section 7: these may not stand unescaped
const control = /[\u0000-\u001f]/;
const words: [string, Json][] = [["true", true], ["false", false], ["null", null]];

class Parser {
  #at = 0;
  #left = budget;
  constructor(readonly text: string) {}

  value(depth: number): Json {
    if (depth > maxDepth) this.#fail("Nesting is too deep");
    this.#match(space);
    const next = this.text[this.#at];
    this.#left -= next === "{" || next === "[" ? containerCost : 1;
    if (this.#left < 0) this.#fail("The document holds too many values");
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#array(depth);
    if (next === '"') return this.#string();
    // Not `??`: the literal may be null.
    const word = this.#word();
    return word === undefined ? this.#number() : word;
  }

  end(): void {
    this.#match(space);
    if (this.#at < this.text.length) this.#fail("Text follows the value");
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = Object.create(null);
    this.#list("{", "}", () => {
      this.#match(space);
      const start = this.#at;
      const name = this.#string();
      if (name in object) this.#fail(`Duplicate name ${shown(name)}`, start);
      this.#expect(":");
      object[name] = this.value(depth + 1);
    });
    return object;
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#list("[", "]", () => {
      array.push(this.value(depth + 1));
    });
    return array;
  }

  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    if (this.#skip(close)) return;
    do item(); while (this.#skip(","));
    this.#expect(close);
  }

  #string(): string {
    const start = this.#at;
    if (this.text[start] !== '"') this.#fail("A string is expected");
    const raw = this.text.slice(start, this.#endOfString(start));
    if (control.test(raw)) this.#fail("A string has a control character", start);
    let text = raw.slice(1, -1);
    try {
      if (raw.includes("\\")) text = JSON.parse(raw);
    } catch {
      this.#fail("A string has an invalid escape", start);
    }
    if (!text.isWellFormed()) this.#fail("A string has half a surrogate pair", start);
    this.#at = start + raw.length;
    return text;
  }

  /** The end: after the next quote with an even number of backslashes before it. */
  #endOfString(start: number): number {
    let at = start;
    for (;;) {
      at = this.text.indexOf('"', at + 1);
      if (at < 0) this.#fail("A string has no end", start);
      let slashes = 0;
      while (this.text[at - 1 - slashes] === "\\") slashes++;
      if (slashes % 2 === 0) return at + 1;
    }
  }

  #number(): number {
    const start = this.#at;
    const raw = this.#match(number);
    if (raw === undefined) this.#fail("A value is expected");
    const value = Number(raw);
    if (!Number.isSafeInteger(value) || String(value) !== raw) {
      this.#fail("A number is not a plain integer within 2^53-1", start);
    }
    return value;
  }

  #word(): Json | undefined {
    const found = words.find(([word]) => this.text.startsWith(word, this.#at));
    if (found === undefined) return undefined;
    this.#at += found[0].length;
    return found[1];
  }

  #skip(token: string): boolean {
    this.#match(space);
    if (this.text[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#skip(token)) this.#fail(`${JSON.stringify(token)} is expected`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(reason: string, at = this.#at): never {
    throw new JsonFault(new TextEncoder().encode(this.text.slice(0, at)).length, reason);
  }
}
