/**
 * The inputs of a command line: `--input`, with `--include`, `--exclude` and `--follow` for all of
 * them.
 */
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { globFault } from "../config/glob.ts";
import type { FilesSource } from "../config/profile.ts";
import type { ExportFlags } from "./export_options.ts";

type InputFlags = Pick<ExportFlags, "input" | "include" | "exclude" | "follow">;

/**
 * @throws StellaError usage for a glob that cannot be used, and where there is no input that it
 * could be about
 */
export function inputsOf(
  { input = [], include = [], exclude = [], follow }: InputFlags,
): FilesSource[] {
  const rules = {
    ...include.length === 0 ? {} : { include: [...include] },
    ...exclude.length === 0 ? {} : { exclude: [...exclude] },
    ...(follow === true ? { follow } : {}),
  };
  const [first] = Object.keys(rules);
  if (first !== undefined && input.length === 0) {
    throw new StellaError("options_conflict", `Cannot use --${first} without --input`, {
      hint:
        "name what to pack with --input PATH; sources of a profile have these rules in stella.yaml",
    });
  }
  for (const [name, globs] of Object.entries({ include, exclude })) {
    for (const glob of globs) checkGlob(name, glob);
  }
  return input.map((text) => ({ ...parseInput(text), ...rules }));
}

/**
 * `DIR`, `FILE` or `PREFIX=PATH`. A path that itself holds `=` is written with `./` or `/` in front.
 * @throws StellaError usage
 */
export function parseInput(text: string): FilesSource {
  const at = text.indexOf("=");
  if (at < 1 || /^[./]/.test(text)) return { path: text };
  return { prefix: text.slice(0, at), path: text.slice(at + 1) };
}

function checkGlob(option: string, glob: string): void {
  const fault = globFault(glob);
  if (fault === undefined) return;
  throw new StellaError("argument_invalid", `Cannot use --${option} ${shown(glob)}: ${fault}`, {
    hint: "for example: --include '**/*.json'; globs are compared with paths below the input",
  });
}
