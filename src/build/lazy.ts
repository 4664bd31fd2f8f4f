/**
 * One file whose parts cost nothing until they are used. Deno reads, analyses and compiles all of a module before its first line
 * runs: for the whole program 0.1 s at each start, without a cache. So only the entry stays a module; every other piece (a
 * chunk) is kept as a string constant, which is compiled when it is first imported.
 *
 * That uses `new Function`. The strings are constants of this very file, no text from elsewhere reaches it, and what reads
 * foreign text (the verifier) has given up all permissions but read by then. Where the system forbids machine code from
 * memory (MemoryDenyWriteExecute) it works too: it is V8's compiler that is off there, not its interpreter.
 */
import { StellaError } from "../domain/errors.ts";

/** `program-7.js` -> `chunk:program-7`, a name that no module can have. */
export function chunkName(file: string): string {
  return `chunk:${file.replace(/\.js$/, "")}`;
}

// The bundler's names end in a digest and it writes them in double quotes: nothing else looks like them.
const reference = /"\.\/([^"/]+-[A-Z0-9]{8}\.js)"/g;

/**
 * New names of all pieces but the entry, numbered as they are met from there. The bundler's own digests follow from where
 * the packages lie, too, so that another cache would give another program.
 * @param texts of the pieces by the bundler's names
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
 * A piece of the first pass with the other pieces under their chunk names.
 * @param names of the other pieces, beside it, by the bundler's
 */
export function renamed(text: string, names: ReadonlyMap<string, string>): string {
  for (const [file, name] of names) text = text.replaceAll(`"./${file}"`, `"${chunkName(name)}"`);
  return text;
}

const loaderName = "stellaImport";

/**
 * The one module: loader, chunks, entry.
 * @param chunks names with bodies in CommonJS form, which know `module`, `exports` and `require`; `import.meta` is the entry's
 * alone, which hands on what others need of it
 * @throws StellaError internal where the entry imports a chunk statically: it would have to be there before the loader
 */
export function joinChunks(
  entry: string,
  chunks: readonly (readonly [name: string, body: string])[],
): string {
  const names = chunks.map(([name]) => name);
  const bodies = chunks.map(([name, body]) => [name, dynamic(body, names)]);
  const door = dynamic(entry, names);
  if (/\bfrom"chunk:|\bimport"chunk:/.test(door)) {
    throw new StellaError("internal", "Cannot bundle: the entry imports a part of the program", {
      hint: "main.ts may import values only by `await import()`; types are no matter",
    });
  }
  return `const ${loaderName}=(${loader})(${JSON.stringify(Object.fromEntries(bodies))});\n${door}`;
}

/** Dynamic imports of chunks as calls of the loader. */
function dynamic(body: string, names: readonly string[]): string {
  let text = body.trimEnd();
  for (const name of names) {
    text = text.replaceAll(`import("${name}")`, `${loaderName}("${name}")`);
  }
  return text;
}

/**
 * CommonJS in a few lines: a chunk runs once, strictly, and modules that import each other see what is there so far. What is no
 * chunk is part of Deno, by its node: name; nothing is ever looked up in a file. A chunk that throws is run again next time.
 *
 * node:child_process is empty: a package asks for it, but the program may start no other, and loading it costs 7 ms.
 */
const loader = `(chunks)=>{
const loaded=new Map();
const require=(name)=>{
if(name==="node:module")return{createRequire:()=>require};
if(name==="node:child_process")return{};
if(!name.startsWith("chunk:"))return process.getBuiltinModule(name);
if(loaded.has(name))return loaded.get(name).exports;
const module={exports:{}};
loaded.set(name,module);
try{
new Function("module","exports","require","${loaderName}",'"use strict";'+chunks[name]+"\\n//# sourceURL="+name)(module,module.exports,require,load);
}catch(error){loaded.delete(name);throw error}
return module.exports;
};
const load=async(name)=>require(name);
return load;
}`;
