/**
 * The build: one script that bundles the whole program, and two ways to make one file of it. It is started by deno.json's
 * tasks, is no part of the program, and no other room imports it.
 *
 *   build.ts js                        dist/stella.js
 *   build.ts compile                   dist/stella by `deno compile`
 *   build.ts compile --target TARGET   dist/TARGET/stella for another platform, which cannot be started here
 *   build.ts compile --stand-in        tries the build where DENORT_BIN is not Deno's: dist/stand-in/stella
 *   build.ts portable                  dist/stella from a launcher, Deno's own executable and the script
 *
 * Beside a program lie its sha256 and its SBOM (beside.ts).
 */
import process from "node:process";
import { messageOf, StellaError } from "../errors.ts";
import { writeBeside } from "./beside.ts";
import { compile, compileFor } from "./compile.ts";
import { targets } from "./denort.ts";
import { buildPortable } from "./portable.ts";
import { buildScript, type Script } from "./script.ts";

const root = new URL("../../", import.meta.url).pathname;
const directory = `${root}dist`;

async function build(form: string | undefined, options: string[]): Promise<string> {
  const [option, value] = options;
  if (form === "js" && options.length === 0) return (await script()).path;
  if (form === "portable" && options.length === 0) return await made(buildPortable);
  if (form === "compile" && options.length === 0) return await made(compiled);
  if (form === "compile" && option === "--stand-in" && options.length === 1) {
    return (await compile(await script(), directory)).path;
  }
  if (form === "compile" && option === "--target" && options.length === 2) {
    if (!targets.includes(value!)) throw unknownTarget(value!);
    return await made((script) => compileFor(script, directory, value!));
  }
  throw new StellaError("usage", "Cannot build: expected js, compile or portable", {
    hint: "compile takes --target TARGET or --stand-in, the others no options",
  });
}

async function script(): Promise<Script> {
  const built = await buildScript(root, directory);
  if (built.stamp.modified) say(`note: files differ from commit ${built.stamp.commit}\n`);
  return built;
}

async function made(
  build: (script: Script, directory: string) => Promise<string>,
): Promise<string> {
  const built = await script();
  const path = await build(built, directory);
  await writeBeside(path, root, built.stamp);
  return path;
}

async function compiled(script: Script): Promise<string> {
  const { path, real } = await compile(script, directory);
  if (real) return path;
  throw new StellaError("usage", `Cannot use ${path}: it does not start as stella`, {
    hint:
      "DENORT_BIN must be Deno's denort of the same version; --stand-in tries the build without it",
  });
}

function unknownTarget(target: string): StellaError {
  return new StellaError("usage", `Cannot build for ${JSON.stringify(target)}`, {
    hint: ["deno compile builds for:", ...targets].join("\n  "),
  });
}

function say(text: string): void {
  process.stderr.write(text);
}

try {
  const [form, ...options] = Deno.args;
  say(`built ${await build(form, options)}\n`);
} catch (thrown) {
  const hint = thrown instanceof StellaError && thrown.hint ? `  ${thrown.hint}\n` : "";
  say(`${messageOf(thrown)}\n${hint}`);
  process.exitCode = thrown instanceof StellaError ? thrown.exitCode : 1;
}
