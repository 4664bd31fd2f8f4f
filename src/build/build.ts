/**
 * The build: one script that bundles the whole program, and two ways to make one file of it. It is started by deno.json's
 * tasks, is no part of the program, and no other room imports it.
 *
 *   build.ts js         dist/stella.js
 *   build.ts compile    dist/stella by `deno compile`; with --stand-in another base than denort is no error
 *   build.ts portable   dist/stella from a launcher, Deno's own executable and the script
 */
import process from "node:process";
import { messageOf, StellaError } from "../errors.ts";
import { compile } from "./compile.ts";
import { buildPortable } from "./portable.ts";
import { buildScript, type Script } from "./script.ts";

const root = new URL("../../", import.meta.url).pathname;
const directory = `${root}dist`;

async function build(form: string | undefined, options: string[]): Promise<string> {
  if (form === "js" && options.length === 0) return (await script()).path;
  if (form === "portable" && options.length === 0) return await portable();
  if (form === "compile" && options.every((option) => option === "--stand-in")) {
    return await compiled(options.length > 0);
  }
  throw new StellaError("usage", "Cannot build: expected js, compile [--stand-in] or portable");
}

async function script(): Promise<Script> {
  const built = await buildScript(root, directory);
  if (built.stamp.modified) say(`note: files differ from commit ${built.stamp.commit}\n`);
  return built;
}

async function compiled(standIn: boolean): Promise<string> {
  const { path, real } = await compile(await script(), directory);
  if (real || standIn) return path;
  throw new StellaError("usage", `Cannot use ${path}: it does not start as stella`, {
    hint:
      "DENORT_BIN must be Deno's denort of the same version; --stand-in tries the build without it",
  });
}

async function portable(): Promise<string> {
  return await buildPortable(await script(), directory);
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
