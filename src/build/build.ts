/**
 * The build: one script that bundles the whole program, two ways to make one file of it, and the
 * release. It is started by deno.json's tasks and is not part of the program.
 *
 *   build.ts js                  dist/stella.js
 *   build.ts compile             dist/stella by `deno compile`
 *     --target TARGET            dist/TARGET/stella for another platform, which cannot be started here
 *     --allow-other-denort       with the denort of another version of Deno: for tests
 *     --stand-in                 tries the build where DENORT_BIN is not Deno's: dist/stand-in/stella
 *   build.ts portable            dist/stella from a launcher, Deno's own executable and the script
 *   build.ts release             dist/release: a signed bundle of these forms (release.ts)
 *     --key FILE                 signed with this private key
 *     --out DIRECTORY            another directory; its name with .pub gets the public key
 *     --draft                    also where files differ from the commit
 *
 * Beside a program lie its sha256 and its SBOM (beside.ts).
 */
import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { messageOf, StellaError } from "../domain/errors.ts";
import { writeBeside } from "./beside.ts";
import { compile, type CompileOptions } from "./compile.ts";
import { targets } from "./denort.ts";
import { buildPortable } from "./portable.ts";
import { release } from "./release.ts";
import { buildScript, type Script } from "./script.ts";

const root = new URL("../../", import.meta.url).pathname;
const directory = `${root}dist`;

/** @returns the path of the result */
async function build(form: string | undefined, options: string[]): Promise<string> {
  if (form === "compile") {
    const chosen = compileOptions(options);
    const built = await script();
    const { path, deno } = await compile(built, directory, chosen);
    await writeBeside(path, { name: "denort", version: deno }, root, built.stamp);
    return path;
  }
  if (options.length === 0 && form === "js") return (await script()).path;
  if (options.length === 0 && form === "portable") {
    const built = await script();
    const path = await buildPortable(built, directory);
    await writeBeside(path, { name: "deno", version: Deno.version.deno }, root, built.stamp);
    return path;
  }
  if (form === "release") return await makeRelease(options);
  throw unknownOptions();
}

async function makeRelease(args: string[]): Promise<string> {
  const { key, out = `${directory}/release`, draft = false } = parsed(args, {
    key: { type: "string" },
    out: { type: "string" },
    draft: { type: "boolean" },
  });
  await Deno.mkdir(directory, { recursive: true });
  return await release(root, directory, { ...key && { key }, out, draft, say });
}

async function script(): Promise<Script> {
  const built = await buildScript(root, directory);
  if (built.stamp.modified) say(`note: files differ from commit ${built.stamp.commit}\n`);
  return built;
}

function compileOptions(args: string[]): CompileOptions {
  const { target, ...flags } = parsed(args, {
    "target": { type: "string" },
    "allow-other-denort": { type: "boolean" },
    "stand-in": { type: "boolean" },
  });
  if (target !== undefined && !targets.includes(target)) throw unknownTarget(target);
  const { "allow-other-denort": allowOther = false, "stand-in": standIn = false } = flags;
  return { ...target && { target }, allowOther, standIn };
}

function parsed<T extends NonNullable<ParseArgsConfig["options"]>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options }).values;
  } catch {
    throw unknownOptions();
  }
}

function unknownOptions(): StellaError {
  const text = "Cannot build: expected js, compile, portable or release";
  return new StellaError("argument_invalid", text, {
    hint: "compile takes --target TARGET, --allow-other-denort and --stand-in; " +
      "release takes --key FILE, --out DIRECTORY and --draft",
  });
}

function unknownTarget(target: string): StellaError {
  return new StellaError("argument_invalid", `Cannot build for ${JSON.stringify(target)}`, {
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
