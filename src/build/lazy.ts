/**
 * One file whose parts are compiled on demand. Deno reads, analyses and compiles all of a module
 * before its first line runs: for the whole program 0.1 s at each start, without a cache. So only
 * the entry is a module; every other piece (a chunk) is a string constant that is compiled when
 * first imported, and a large one (pages of the manual, dashboards, packages that only some commands
 * use) a compressed one: Deno scans every string of the file at each start, 0.01 s for a megabyte.
 *
 * This uses `new Function`. The strings are constants of this file, no other text reaches it, and
 * the verifier, which reads untrusted text, has dropped all permissions but read by then. It also
 * works if the system forbids executable memory (MemoryDenyWriteExecute): that disables V8's
 * compiler, not its interpreter.
 */
import { constants, zstdCompressSync } from "node:zlib";
import { StellaError } from "../domain/errors.ts";

/** `program-7.js` to `chunk:program-7`, a name that no module can have. */
export function chunkName(file: string): string {
  return `chunk:${file.replace(/\.js$/, "")}`;
}

// The bundler's names end in a digest and are in double quotes: nothing else looks like them.
const reference = /"\.\/([^"/]+-[A-Z0-9]{8}\.js)"/g;

/**
 * New names of all chunks, numbered in the order of their first use. The bundler's own digests
 * depend on the location of the packages, so another cache would give another program.
 * @param texts of the chunks by the bundler's names
 */
export function stableNames(
  texts: ReadonlyMap<string, string>,
  entry: string,
): Map<string, string> {
  const names = new Map<string, string>();
  const queue = [entry];
  for (let at = 0; at < queue.length; at++) {
    for (const [, file = ""] of (texts.get(queue[at]!) ?? "").matchAll(reference)) {
      if (names.has(file) || !texts.has(file)) continue;
      names.set(file, file.replace(/[A-Z0-9]{8}\.js$/, `${names.size}.js`));
      queue.push(file);
    }
  }
  return names;
}

/**
 * A piece of the first pass, with its imports renamed to chunk names.
 * @param names of the other pieces by the bundler's names
 */
export function renamed(text: string, names: ReadonlyMap<string, string>): string {
  for (const [file, name] of names) text = text.replaceAll(`"./${file}"`, `"${chunkName(name)}"`);
  return text;
}

const loaderName = "stellaImport";

/**
 * The combined module: loader, chunks, entry.
 * @param chunks names with bodies in CommonJS form, which use `module`, `exports` and `require`;
 * only the entry has `import.meta` and passes on what others need of it
 * @throws StellaError defect if the entry imports a chunk statically: it would be needed before
 * the loader
 */
export function joinChunks(
  entry: string,
  chunks: readonly (readonly [name: string, body: string])[],
): string {
  const names = chunks.map(([name]) => name);
  const bodies = chunks.map(([name, body]) => [name, packed(dynamic(body, names))]);
  const door = dynamic(entry, names);
  if (/\bfrom"chunk:|\bimport"chunk:/.test(door)) {
    const text = "Cannot bundle: the entry imports a part of the program";
    throw new StellaError("build_failed", text, {
      hint: "import values only by `await import()` in main.ts; types are no matter",
    });
  }
  return `const ${loaderName}=(${loader})(${JSON.stringify(Object.fromEntries(bodies))});\n${door}`;
}

/** Turns dynamic imports of chunks into calls of the loader. */
function dynamic(body: string, names: readonly string[]): string {
  let text = body.trimEnd();
  for (const name of names) {
    text = text.replaceAll(`import("${name}")`, `${loaderName}("${name}")`);
  }
  return text;
}

/**
 * A body as it is stored: a text, or from this many characters on a list with its zstd frame in
 * base64. What `version` and most of what `verify` load stays below: unpacking needs node:zlib.
 */
const packedFrom = 20_000;

function packed(body: string): string | [frame: string] {
  if (body.length < packedFrom) return body;
  const params = { [constants.ZSTD_c_compressionLevel]: 19 };
  return [new Uint8Array(zstdCompressSync(new TextEncoder().encode(body), { params })).toBase64()];
}

/**
 * A minimal CommonJS loader: a chunk runs once, in strict mode, and in cyclic imports modules see
 * the exports so far. Other names are Deno's node: modules; no file is ever looked up. A chunk that
 * throws is run again next time.
 *
 * node:child_process is empty: a package requires it, but the program may start no process, and
 * loading it costs 7 ms.
 */
const loader = `(chunks)=>{
const loaded=new Map();
const unpacked=([frame])=>
new TextDecoder().decode(require("node:zlib").zstdDecompressSync(Uint8Array.fromBase64(frame)));
const textOf=(body)=>typeof body==="string"?body:unpacked(body);
const require=(name)=>{
if(name==="node:module")return{createRequire:()=>require};
if(name==="node:child_process")return{};
if(!name.startsWith("chunk:"))return process.getBuiltinModule(name);
if(loaded.has(name))return loaded.get(name).exports;
const module={exports:{}};
loaded.set(name,module);
try{
new Function("module","exports","require","${loaderName}",'"use strict";'+textOf(chunks[name])+"\\n//# sourceURL="+name)(module,module.exports,require,load);
}catch(error){loaded.delete(name);throw error}
return module.exports;
};
const load=async(name)=>require(name);
return load;
}`;
