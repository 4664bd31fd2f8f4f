/**
 * `stella version`: which build runs; with --check whether the program's bytes are those of its
 * build.
 */
import { exitCodes, StellaError } from "../domain/errors.ts";
import { build, programPath } from "../domain/version.ts";
import type { CommonOptions, Result } from "./program.ts";
import { granted } from "./spare.ts";

export async function versionCommand(
  options: CommonOptions & { check?: boolean },
): Promise<Result> {
  const facts = build();
  const { version, commit, buildDate, form } = facts;
  const text =
    `stella ${version}\n  commit  ${commit}\n  built   ${buildDate}\n  form    ${form}\n`;
  if (!options.check) {
    const json = { ok: true, code: 0, ...facts, permissions: granted(Deno.permissions) };
    return await Promise.resolve({ code: 0, json, text });
  }
  const path = programPath();
  if (path === undefined) {
    throw new StellaError("usage", `Cannot check the program: the form ${form} is not one file`, {
      hint: "check a binary: deno task build makes one",
    });
  }
  const { checkBeside, checkSelf } = await import("../assets/self.ts");
  const check = form === "portable" ? checkSelf(path) : checkBeside(path);
  return {
    code: check.ok ? 0 : exitCodes.digest,
    json: { ok: check.ok, code: check.ok ? 0 : exitCodes.digest, ...facts, check },
    text: `${text}  bytes   ${
      check.ok
        ? `match the digest in ${JSON.stringify(check.digestFile)}`
        : `MISMATCH: expected ${check.expected}, found ${check.found}`
    }\n`,
  };
}
