/** Completion scripts, as the shells run them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requiring, tool } from "../support/needs.ts";
import { type Home, programWords, withHome } from "../support/program.ts";

/** Each command line up to the cursor, and some of the completions offered there. */
const lines: [words: string[], offered: string[], not: string[]][] = [
  [[""], ["export", "verify", "jobs", "completion"], ["bundle", "--json"]],
  [["ver"], ["verify", "version"], ["export"]],
  [["export", ""], ["bundle"], ["verify"]],
  [["export", "bundle", ""], ["verify", "unpack", "pull"], ["jobs"]],
  [["export", "bundle", "verify", "--tr"], ["--trust", "--trust-from-media"], ["--to"]],
  [["export", "bundle", "--lay"], ["--layout"], ["--limit"]],
  [["jobs", "list", "--state", ""], ["queued", "failed"], ["--json"]],
  [["jobs", "purge", "--state", "f"], ["failed"], ["queued"]],
  [["verify", "--color", "a"], ["auto", "always"], ["never"]],
  [["verify", "ou"], ["out/"], ["jobs"]],
  [["unpack", "out", "--to", "o"], ["out/"], ["other.txt"]],
  [["export", "bundle", "--profile", ""], [], ["verify", "other.txt"]],
  [["export", "bundle", "-"], ["--input", "--quiet"], ["--receipt"]],
  [["verify", "--quiet", "o"], ["out/", "other.txt"], ["jobs"]],
  [["completion", ""], ["bash", "zsh", "fish"], ["other.txt"]],
  [["moon", ""], [], ["verify", "other.txt", "--json"]],
];

type Complete = (home: Home, script: string, words: readonly string[]) => Promise<string[]>;

function testShell(shell: string, complete: Complete): void {
  Deno.test(requiring(
    [shell],
    `${shell} completes commands, options, their values and paths`,
    () =>
      withHome(async (home) => {
        Deno.mkdirSync(join(home.path, "out"));
        Deno.writeTextFileSync(join(home.path, "other.txt"), "");
        installProgram(home);
        const script = join(home.path, `stella.${shell}`);
        Deno.writeTextFileSync(script, (await home.succeed(["completion", shell])).stdout);
        for (const [words, offered, not] of lines) {
          const found = await complete(home, script, words);
          const missing = offered.filter((one) => !found.includes(one));
          const wrong = not.filter((one) => found.includes(one));
          assert.deepEqual([missing, wrong], [[], []], `stella ${words.join(" ")}: ${found}`);
        }
      }),
  ));
}

/** The scripts run `stella`. */
function installProgram(home: Home): void {
  const words = programWords().map((word) => `'${word}'`).join(" ");
  Deno.mkdirSync(join(home.path, "bin"));
  const path = join(home.path, "bin/stella");
  Deno.writeTextFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
}

async function ran(home: Home, shell: string, args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(tool(shell) ?? shell, {
    args,
    cwd: home.path,
    env: home.environment({ PATH: `${join(home.path, "bin")}:/usr/bin:/bin` }),
    clearEnv: true,
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stderr));
  assert.equal(text.decode(stderr), "");
  return text.decode(stdout).split("\n").filter((line) => line !== "");
}

testShell("bash", async (home, script, words) => {
  const program = `. "$1"; shift; COMP_WORDS=(stella "$@"); COMP_CWORD=$#; _stella
    for one in "\${COMPREPLY[@]}"; do if [[ -d $one ]]; then echo "$one/"; else echo "$one"; fi; done`;
  return await ran(home, "bash", ["--norc", "-c", program, "bash", script, ...words]);
});

// Without a terminal zsh has no completion system, so the functions that the script calls are
// stubbed.
testShell("zsh", async (home, script, words) => {
  const program = `compdef() { : }
    _describe() { local one; for one in \${(P)2}; do offer "\${one%%:*}"; done }
    offer() { [[ $1 == "$typed"* ]] && print -r -- "$1" }
    compadd() { shift; local one; for one; do offer "$one"; done }
    compset() { : }
    _files() { local one; for one in *(N/); do offer "$one/"; done
      [[ $1 == -/ ]] || for one in *(N.); do offer "$one"; done }
    script=$1; shift; words=(stella "$@"); CURRENT=$#words; typed=$words[-1]
    source "$script"; _stella; true`;
  return await ran(home, "zsh", ["-f", "-c", program, "zsh", script, ...words]);
});

testShell("fish", async (home, script, words) => {
  const program = 'source "$argv[1]"; complete -C "$argv[2]"';
  const line = ["stella", ...words].join(" ");
  const found = await ran(home, "fish", ["--no-config", "-c", program, script, line]);
  return found.map((one) => one.split("\t")[0] ?? "");
});

Deno.test(requiring(
  ["bash"],
  "bash completes --option=value, where = is a separate word",
  () =>
    withHome(async (home) => {
      const { stdout } = await home.succeed(["completion", "bash"]);
      const script = join(home.path, "stella.bash");
      Deno.writeTextFileSync(script, stdout);
      installProgram(home);
      const program = '. "$1"; COMP_WORDS=(stella verify --color = al); COMP_CWORD=4; _stella; ' +
        'echo "${COMPREPLY[@]}"';
      assert.deepEqual(await ran(home, "bash", ["--norc", "-c", program, "bash", script]), [
        "always",
      ]);
    }),
));
