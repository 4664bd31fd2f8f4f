import assert from "node:assert/strict";
import { JsonFault, parseStrict } from "../../src/bundle/strict_json.ts";
import { always, fc } from "../support/property.ts";

function parse(text: string): unknown {
  return parseStrict(new TextEncoder().encode(text));
}

/** Objects of the reader have no prototype; a comparison needs one. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const accepted: [string, unknown][] = [
  ["null", null],
  [" \t\n\r true \r\n", true],
  ["false", false],
  ["0", 0],
  ["-1", -1],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ["-9007199254740991", Number.MIN_SAFE_INTEGER],
  ['""', ""],
  ['"\\u0041\\n\\t\\"\\\\\\/"', 'A\n\t"\\/'],
  ['"\\ud83d\\ude00"', "\u{1f600}"],
  ['"\u{1f600}\u2028\ue000"', "\u{1f600}\u2028\ue000"],
  ['"\\\\"', "\\"],
  ["[]", []],
  ["[1,[2],{}]", [1, [2], {}]],
  ['{"a":1,"A":2}', { a: 1, A: 2 }],
  ['{"":0}', { "": 0 }],
  ['{"a" : [ ] }', { a: [] }],
];

Deno.test("strict JSON accepts what RFC 8259 and I-JSON allow", () => {
  for (const [text, value] of accepted) assert.deepEqual(plain(parse(text)), value, text);
});

const lone = "half a surrogate pair";
const notInteger = "not a plain integer";
const refused: [string, string, number][] = [
  ["", "A value is expected", 0],
  [" ", "A value is expected", 1],
  ["nul", "A value is expected", 0],
  ["True", "A value is expected", 0],
  ["NaN", "A value is expected", 0],
  ["Infinity", "A value is expected", 0],
  ["undefined", "A value is expected", 0],
  ["'a'", "A value is expected", 0],
  ["+1", "A value is expected", 0],
  [".5", "A value is expected", 0],
  ["-", "A value is expected", 0],
  ["\ufeff1", "A value is expected", 0],
  ["\u00a01", "A value is expected", 0],
  ["\f1", "A value is expected", 0],
  ["//x\n1", "A value is expected", 0],
  ["01", "Text follows", 1],
  ["0x1", "Text follows", 1],
  ["1 2", "Text follows", 2],
  ["nullnull", "Text follows", 4],
  ["[]]", "Text follows", 2],
  ["1\0", "Text follows", 1],
  ["1.0", notInteger, 0],
  ["1.5", notInteger, 0],
  ["1e3", notInteger, 0],
  ["1E0", notInteger, 0],
  ["-0", notInteger, 0],
  ["1e400", notInteger, 0],
  ["9007199254740992", notInteger, 0],
  ["9007199254740993", notInteger, 0],
  ["-9007199254740992", notInteger, 0],
  ['{"a":1,"a":1}', 'Duplicate name "a"', 7],
  ['{"a":1,"\\u0061":2}', 'Duplicate name "a"', 7],
  ['{"__proto__":1,"__proto__":2}', 'Duplicate name "__proto__"', 15],
  ['{"x":{"b":1,"c":2,"b":3}}', 'Duplicate name "b"', 18],
  ['{"\u001b":1}', "control character", 1],
  ['"\u0000"', "control character", 0],
  ['"\n"', "control character", 0],
  ['"\\x41"', "invalid escape", 0],
  ['"\\u12"', "invalid escape", 0],
  ['"\\ud800"', lone, 0],
  ['"\\udc00\\ud800"', lone, 0],
  ['"\\ud83d\\u0041"', lone, 0],
  ['"a', "A string has no end", 0],
  ['"\\"', "A string has no end", 0],
  ["{a:1}", "A string is expected", 1],
  ["{1:1}", "A string is expected", 1],
  ['{"a":1,}', "A string is expected", 7],
  ['{,"a":1}', "A string is expected", 1],
  ["[1,]", "A value is expected", 3],
  ["[,1]", "A value is expected", 1],
  ["[1 2]", '"]" is expected', 3],
  ["[1", '"]" is expected', 2],
  ['{"a" 1}', '":" is expected', 5],
  ['{"a":1', '"}" is expected', 6],
  ["[1}", '"]" is expected', 2],
  ['["é",x]', "A value is expected", 6],
];

Deno.test("strict JSON refuses everything else with the reason and byte offset", () => {
  for (const [text, reason, offset] of refused) {
    assert.throws(() => parse(text), (error) => {
      assert.ok(error instanceof JsonFault, `${text}: ${error}`);
      assert.ok(error.message.includes(reason), `${text}: ${error.message}`);
      assert.equal(error.offset, offset, text);
      return true;
    }, text);
  }
});

Deno.test("strict JSON refuses bytes that are not UTF-8", () => {
  for (
    const bytes of [[0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]]
  ) {
    assert.throws(() => parseStrict(new Uint8Array(bytes)), /not UTF-8/);
  }
  assert.throws(() => parseStrict(new Uint8Array([0xff, 0xfe, 0x31, 0])), /not UTF-8/);
});

Deno.test("strict JSON gives no name a special meaning", () => {
  const object = parse('{"__proto__":{"x":1},"constructor":2,"hasOwnProperty":3}') as object;
  assert.equal(Object.getPrototypeOf(object), null);
  assert.deepEqual(Object.keys(object), ["__proto__", "constructor", "hasOwnProperty"]);
  assert.equal(({} as { x?: number }).x, undefined);
});

Deno.test("strict JSON allows 32 levels, and 500,000 levels do not overflow the stack", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.doesNotThrow(() => parse(nested(33)));
  assert.throws(() => parse(nested(34)), /Nesting is too deep at byte 33/);
  assert.throws(() => parse("[".repeat(500_000)), /Nesting is too deep/);
  assert.throws(() => parse('{"a":'.repeat(500_000)), /Nesting is too deep/);
});

Deno.test("strict JSON limits the number of values, so that an untrusted file cannot exhaust memory", () => {
  assert.throws(() => parse(`[${"{},".repeat(400_000)}0]`), /too many values/);
  assert.throws(() => parse(`[${"[],".repeat(400_000)}0]`), /too many values/);
  assert.throws(() => parse(`[${"0,".repeat(1_100_000)}0]`), /too many values/);
  assert.equal((parse(`[${"0,".repeat(1_000_000)}0]`) as unknown[]).length, 1_000_001);
});

Deno.test("strict JSON reads a string of 10 MiB, even if it consists of escapes", () => {
  const length = 10 * 1024 * 1024;
  assert.equal((parse(`"${"x".repeat(length)}"`) as string).length, length);
  assert.equal((parse(`"${"\\\\".repeat(length / 2)}"`) as string).length, length / 2);
  assert.throws(() => parse(`"${'\\"'.repeat(length / 2)}`), /has no end/);
});

Deno.test("strict JSON truncates and escapes long or unprintable names in messages", () => {
  const name = "\u202e" + "n".repeat(100_000);
  assert.throws(() => parse(`{"${name}":1,"${name}":2}`), (error: Error) => {
    assert.ok(error.message.length < 250);
    assert.ok(error.message.includes("\\u{202e}nnn"));
    return true;
  });
});

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n === 0 ? 0 : n),
    fc.string({ unit: "grapheme" }).filter((s) => s.isWellFormed()),
    fc.array(tie("any"), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie("any"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).any;

Deno.test("strict JSON reads back what JSON.stringify writes of integers and text", () => {
  always(fc.property(value, (one) => {
    assert.deepEqual(plain(parse(JSON.stringify(one))), plain(one));
    assert.deepEqual(plain(parse(JSON.stringify(one, null, 2))), plain(one));
  }));
});

Deno.test("strict JSON refuses a text with one byte changed or agrees with JSON.parse", () => {
  always(
    fc.property(value, fc.nat(), fc.nat(255), (one, at, byte) => {
      const bytes = new TextEncoder().encode(JSON.stringify(one));
      bytes[at % bytes.length] = byte;
      let read: unknown;
      try {
        read = parseStrict(bytes);
      } catch (error) {
        return assert.ok(error instanceof JsonFault, String(error));
      }
      assert.deepEqual(plain(read), JSON.parse(new TextDecoder().decode(bytes)));
    }),
    500,
  );
});
