/**
 * `stella version`: the running build; with --check whether the program's bytes are those of it.
 * Its work is in this file, because it has to start fastest.
 */
import { exitCodes, StellaError } from "../../domain/errors.ts";
import { build, programPath } from "../../domain/version.ts";
import { defineCommand, flag, type Result } from "../command.ts";
import type { Host } from "../host.ts";
import { granted } from "../permissions.ts";

export const command = defineCommand({
  path: "version",
  summary: "Print version, commit, build date and form",
  options: { check: flag("compare the program's bytes with the digest from its build") },
  permissions: "unchanged",
  examples: ["stella version --check"],
  run: ({ options }, host) => showVersion(options, host),
});

async function showVersion(
  { check: isChecked }: { check: boolean },
  { permissions }: Host,
): Promise<Result> {
  const facts = build();
  const { version, commit, buildDate, form } = facts;
  const text =
    `stella ${version}\n  commit  ${commit}\n  built   ${buildDate}\n  form    ${form}\n`;
  if (!isChecked) {
    return { json: { ...facts, permissions: granted(permissions) }, text };
  }
  const path = programPath();
  if (path === undefined) {
    const what = `Cannot check the program: the form ${form} is not one file`;
    throw new StellaError("program_unsuitable", what, {
      hint: "check a binary: deno task build makes one",
    });
  }
  const { checkBeside, checkSelf } = await import("../../assets/self.ts");
  const check = await (form === "portable" ? checkSelf(path) : checkBeside(path));
  const found = check.ok
    ? `match the digest in ${JSON.stringify(check.digestFile)}`
    : `MISMATCH: expected ${check.expected}, found ${check.found}`;
  return {
    code: check.ok ? 0 : exitCodes.differs,
    json: { ...facts, check },
    text: `${text}  bytes   ${found}\n`,
  };
}
