/**
 * The permissions that each command keeps when its work begins: the list that a build is tested
 * against, from source and as a binary. A command stands here once, and again for each option that
 * changes what it needs.
 */
import assert from "node:assert/strict";
import { grants } from "../../src/config/permissions.ts";

const id = "019b76da-a800-7000-8000-000000000000";
const place = "--manifest=out";
const registry = "oci://registry.invalid/r:t";
const target = "oci://registry.invalid/mirror";

/** The command, the rest of its line, and what it keeps beside reading. */
export const permissionLines: readonly [command: string, rest: string[], needs: string[]][] = [
  ["assets list", [], []],
  ["assets write", ["there"], ["write"]],
  ["completion", ["bash"], []],
  ["docs", [], []],
  ["config check", [], ["env"]],
  ["config schema", [], []],
  ["config show", [], ["env"]],
  ["export bundle", ["--profile=kit"], ["write", "net", "env", "sys"]],
  ["export bundle", ["--profile=kit", "--server=http://127.0.0.1:1"], ["net", "env"]],
  [
    "export bundle",
    ["--profile=kit", "--server=http://127.0.0.1:1", "--manifest=out/manifest.json"],
    ["write", "net", "env", "sys"],
  ],
  ["diff", ["a", "b"], []],
  ["export bundle diff", ["a", "b"], []],
  ["export bundle diff", ["a", registry], ["net", "env"]],
  ["export bundle list", [place], ["env", "sys"]],
  ["export bundle list", [], ["env", "sys"]],
  ["export bundle list", [registry], ["net", "env", "sys"]],
  ["export bundle load", [place, `--to=${target}`], ["write", "net", "env", "sys"]],
  ["export bundle pull", [registry, "--to=in"], ["write", "net", "env", "sys"]],
  ["export bundle push", [registry, place], ["write", "net", "env", "sys"]],
  ["export bundle show", [place], ["env", "sys"]],
  ["export bundle unpack", [place, "--to=in"], ["write", "env", "sys"]],
  ["export bundle unpack", [registry, "--to=in"], ["write", "net", "env", "sys"]],
  ["export bundle verify", [place], ["env", "sys"]],
  ["trust seen", [], ["env"]],
  ["trust seen", ["--receipt=r.json"], ["write", "env"]],
  ["export bundle verify", [place, "--report=r.json", "--integrity-only"], ["env", "sys"]],
  ["export bundle verify", [place, "--receipt=r.json"], ["write", "env", "sys"]],
  ["export bundle verify", [`--manifest=${registry}`], ["net", "env", "sys"]],
  ["health", [], ["net", "env"]],
  ["help", ["verify"], []],
  ["jobs cancel", [id], ["net", "env"]],
  ["jobs list", [], ["net", "env"]],
  ["jobs purge", [id], ["net", "env"]],
  ["jobs retry", [id], ["net", "env"]],
  ["jobs show", [id], ["net", "env"]],
  ["keys generate", [], ["write", "env", "sys"]],
  ["keys show", [], ["env"]],
  ["keys show", ["--public", "--server=http://127.0.0.1:1"], ["net", "env"]],
  ["keys trust", ["signer.pub"], ["write", "env"]],
  ["list", ["out"], ["env", "sys"]],
  ["load", ["out", `--to=${target}`], ["write", "net", "env", "sys"]],
  ["pull", [registry, "--to=in"], ["write", "net", "env", "sys"]],
  ["push", ["out", registry], ["write", "net", "env", "sys"]],
  ["risk query", ["CVE-2021-44228", place], ["env", "sys"]],
  ["risk query", ["CVE-2021-44228", registry], ["net", "env", "sys"]],
  ["serve", [], ["write", "net", "env", "sys"]],
  ["show", ["out"], ["env", "sys"]],
  ["spans", [], ["write", "net", "env"]],
  ["status", [place], ["net", "env"]],
  ["stick write", ["out", "/media"], ["write", "env", "sys"]],
  ["stick write", [registry, "/media"], ["write", "net", "env", "sys"]],
  ["timeline", [], ["net", "env"]],
  ["unpack", ["out", "--to=in"], ["write", "env", "sys"]],
  ["verify", ["out"], ["env", "sys"]],
  ["verify", ["-", "--receipt=r.json"], ["write", "env", "sys"]],
  ["verify", [registry], ["net", "env", "sys"]],
  ["version", [], ["write", "net", "env", "sys"]],
];

/**
 * Asks the program that `stella` runs about each line, a few at once, and compares what it answers.
 */
export async function holdToLines(
  stella: (args: string[]) => Promise<{ code: number; stdout: string; stderr: string }>,
): Promise<void> {
  const rest = [...permissionLines];
  const ask = async () => {
    for (let line = rest.shift(); line !== undefined; line = rest.shift()) {
      const [command, more, needs] = line;
      const args = [...command.split(" "), ...more, "--permissions", "--json"];
      const { code, stdout, stderr } = await stella(args);
      assert.equal(code, 0, `${args.join(" ")}: ${stdout}${stderr}`);
      const answer = JSON.parse(stdout);
      assert.equal(answer.command, command);
      assert.deepEqual(answer.permissions.toSorted(), expected(needs), args.join(" "));
    }
  };
  await Promise.all([ask(), ask()]);
}

/** One by one, as they are granted. */
function expected(needs: readonly string[]): string[] {
  return grants.filter(({ name }) => name === "read" || needs.includes(name))
    .flatMap(({ name, values }) => values?.map((value) => `${name}:${value}`) ?? [name])
    .toSorted();
}
