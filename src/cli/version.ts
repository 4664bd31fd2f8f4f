/** `stella version`: which build runs; with --check whether the program's bytes are those of its build. */
import { StellaError } from "../errors.ts";
import { build } from "../version.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { granted } from "./spare.ts";

export async function versionCommand(
  options: CommonOptions & { check?: boolean },
  host: Host,
): Promise<Result> {
  const facts = build();
  const { version, commit, buildDate, form } = facts;
  const text =
    `stella ${version}\n  commit  ${commit}\n  built   ${buildDate}\n  form    ${form}\n`;
  if (!options.check) {
    const json = { ok: true, code: 0, ...facts, permissions: granted(Deno.permissions) };
    return await Promise.resolve({ code: 0, json, text });
  }
  const self = host.environment("STELLA_SELF");
  if (form !== "portable" || self === undefined) {
    throw new StellaError(
      "usage",
      `Cannot check the program: the form ${form} carries no digest of itself`,
      {
        hint: "compare its sha256 with the published one: sha256sum stella",
      },
    );
  }
  const { checkSelf } = await import("../assets/self.ts");
  const check = checkSelf(self);
  return {
    code: check.ok ? 0 : 7,
    json: { ok: check.ok, code: check.ok ? 0 : 7, ...facts, check },
    text: `${text}  bytes   ${
      check.ok
        ? "are those of the build"
        : `MISMATCH: expected ${check.expected}, found ${check.found}`
    }\n`,
  };
}
