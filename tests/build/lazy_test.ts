/**
 * The loader in front of the chunks, run by Deno without any permission; each program prints what
 * it observed as JSON.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { bundle } from "../../src/build/bundle.ts";
import { joinChunks, renamed, stableNames } from "../../src/build/lazy.ts";
import { fixturePlace } from "./place.ts";

function ran(module: string, flags: string[] = []): unknown {
  const directory = mkdtempSync(`${tmpdir()}/stella-lazy-`);
  try {
    writeFileSync(`${directory}/program.js`, module);
    const args = ["run", "--no-config", "--no-prompt", ...flags, `${directory}/program.js`];
    const { stdout, stderr } = spawnSync(Deno.execPath(), args);
    assert.equal(stderr.toString(), "");
    return JSON.parse(stdout.toString().replaceAll(`file://${directory}`, ""));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const show = (expression: string) => `console.log(JSON.stringify(${expression}));`;

Deno.test("a chunk is not parsed before it is imported", () => {
  const chunks = [["chunk:broken", "this is no (code"], ["chunk:b", "exports.b=2"]] as const;
  assert.equal(ran(joinChunks(show('(await import("chunk:b")).b'), chunks)), 2);
  const caught = 'await import("chunk:broken").catch((error)=>error.name)';
  assert.equal(ran(joinChunks(show(caught), chunks)), "SyntaxError");
});

Deno.test("a chunk runs once and in strict mode, and chunks in a cycle see each other's partial exports", () => {
  const chunks = [
    [
      "chunk:a",
      'exports.early=1;exports.b=require("chunk:b").sum;globalThis.runs=(globalThis.runs??0)+1',
    ],
    [
      "chunk:b",
      'exports.sum=require("chunk:a").early+1;try{undeclared=1}catch(e){exports.strict=e.name}',
    ],
  ] as const;
  const seen = '[(await import("chunk:a")).b,(await import("chunk:b")).strict,globalThis.runs]';
  assert.deepEqual(ran(joinChunks(show(seen), chunks)), [2, "ReferenceError", 1]);
});

Deno.test("the stack trace of a chunk names it, and a chunk that threw runs again at the next import", () => {
  const chunks = [
    ["chunk:t", 'globalThis.n=(globalThis.n??0)+1;if(n<2)throw new Error("first");exports.n=n'],
  ] as const;
  const seen = '[await import("chunk:t").catch((e)=>[e.message,/chunk:t,/.test(e.stack)]),' +
    '(await import("chunk:t")).n]';
  assert.deepEqual(ran(joinChunks(show(seen), chunks)), [["first", true], 2]);
});

Deno.test("a chunk can load Deno's built-in modules and no others, also without V8's JIT compiler", () => {
  const chunks = [[
    "chunk:m",
    'exports.all=async()=>[require("node:path").sep,(await import("node:url")).URL===URL,' +
    'require("node:module").createRequire()("node:path").sep,require("npm:zod")===undefined,Object.keys(require("node:child_process")).length]',
  ]] as const;
  const module = joinChunks(show('await (await import("chunk:m")).all()'), chunks);
  assert.deepEqual(ran(module), ["/", true, "/", true, 0]);
  assert.deepEqual(ran(module, ["--v8-flags=--jitless"]), ["/", true, "/", true, 0]);
});

Deno.test("a large chunk is stored compressed and runs like any other", () => {
  const text = "é".repeat(30_000);
  const chunks = [["chunk:large", `exports.text=${JSON.stringify(text)}`]] as const;
  const module = joinChunks(show('(await import("chunk:large")).text'), chunks);
  assert.ok(module.length < 3_000, `${module.length} characters`);
  assert.equal(ran(module), text);
  assert.equal(ran(module, ["--v8-flags=--jitless"]), text);
});

Deno.test("an entry that needs a chunk before the loader is defined fails the build", () => {
  for (const entry of ['import{a}from"chunk:a";a()', 'import"chunk:a"']) {
    assert.throws(() => joinChunks(entry, []), /the entry imports a part of the program/);
  }
});

Deno.test("chunks share common imports, and may import text files and CommonJS modules", async () => {
  await using place = await fixturePlace();
  const files = {
    "main.ts": `const [a, b] = [await import("./a.ts"), await import("./b.ts")];
      ${show('[a.count(), b.count(), a.word, (await import("./a.ts")) === a]')}`,
    "a.ts":
      `import { next } from "./shared.ts"; import text from "./word.txt" with { type: "text" };
      export const word = text; export const count = () => next();`,
    "b.ts": `import { next } from "./shared.ts"; import old from "./old.cjs";
      export const count = () => next() + old.hundred;`,
    "shared.ts": "let at = 0; export const next = () => ++at;",
    "word.txt": 'import("chunk:a") é',
    "old.cjs": "module.exports = { hundred: require('node:path').sep.length * 100 };",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(`${place.root}/${name}`, text);
  const module = await bundle(place.root, "main.ts", place.root);
  assert.deepEqual(ran(module), [1, 102, files["word.txt"], true]);
});

Deno.test("only the entry of the program uses import.meta, which chunks do not have", () => {
  const root = new URL("../../src/", import.meta.url);
  // From its source, version.ts looks for the commit beside itself; a built program is stamped.
  const others = readdirSync(root, { recursive: true }).map(String).filter((path) =>
    path.endsWith(".ts") && !path.startsWith("build/") && path !== "domain/version.ts"
  );
  assert.ok(others.length > 50);
  const codeOf = (path: string) =>
    readFileSync(new URL(path, root), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  const wrong = others.filter((path) => codeOf(path).includes("import.meta"));
  assert.deepEqual(wrong, []);
});

Deno.test("chunk names do not depend on the digests that the bundler assigns", () => {
  const built = (a: string, b: string) => {
    const texts = new Map([
      [`one-${a}.js`, `import{x}from"./two-${b}.js";`],
      [`two-${b}.js`, "export const x=1;"],
      ["main.js", `await import("./one-${a}.js");await import("./two-${b}.js");"./else.js"`],
    ]);
    const names = stableNames(texts, "main.js");
    return [...names].map(([old, name]) => [name, renamed(texts.get(old)!, names)]);
  };
  const [first, second] = [built("AAAAAAAA", "ZZZZZZZZ"), built("YYYYYYYY", "22222222")];
  assert.deepEqual(first, second);
  assert.deepEqual(first, [
    ["one-0.js", 'import{x}from"chunk:two-1";'],
    ["two-1.js", "export const x=1;"],
  ]);
});
