/**
 * A named pipe in place of a file: no command blocks on opening it, which no signal could
 * interrupt.
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { Home, programWords } from "../support/program.ts";

const registry = "oci://127.0.0.1:1/r:t";
const service = "--url=https://127.0.0.1:1";

/** Each has a pipe where a file is expected: `pipe`, `in/pipe`, `bundle/manifest.json`. */
const lines = [
  "export bundle --profile x --input pipe",
  "export bundle --profile x --input in",
  "export bundle --profile kit --key pipe",
  "export bundle --profile kit --key-passphrase-file pipe",
  "export bundle --profile kit --secret pipe",
  "export bundle --profile kit --include-binary pipe",
  "export bundle --profile kit --config pipe",
  "export bundle --profile kit --report pipe",
  "export bundle --profile kit --metrics-textfile pipe",
  "export bundle --profile kit --manifest bundle/manifest.json",
  "export bundle list --manifest bundle",
  "export bundle show --manifest bundle",
  "export bundle diff bundle bundle",
  "export bundle unpack --manifest bundle --to u",
  "risk query CVE-2020-1234 --manifest bundle",
  "verify bundle --integrity-only",
  "verify in --trust pipe",
  "verify bundle --receipt pipe",
  `export bundle push ${registry} --manifest bundle --credentials pipe`,
  `export bundle push ${registry} --manifest bundle --ca pipe`,
  `export bundle pull ${registry} --to p --credentials pipe`,
  `export bundle pull ${registry} --to p --ca pipe`,
  `verify ${registry} --ca pipe`,
  `health ${service} --ca pipe`,
  `health ${service} --token-file pipe`,
  "keys trust pipe",
  "keys show --public --key pipe",
  "spans --out pipe --listen 127.0.0.1:0",
];

/** Milliseconds; a command that opens a pipe would wait forever. */
const bound = 60_000;

Deno.test(
  requiring(["mkfifo"], "no command waits for a named pipe in place of a file", async () => {
    const home = new Home();
    try {
      for (const name of ["in", "bundle"]) mkdirSync(join(home.path, name));
      for (const name of ["pipe", "in/pipe", "bundle/manifest.json"]) {
        const args = [join(home.path, name)];
        assert.ok((await new Deno.Command("mkfifo", { args }).output()).success);
      }
      const rest = [...lines];
      const turn = async () => {
        for (let line = rest.shift(); line !== undefined; line = rest.shift()) {
          const { code, signal } = await run(home, line);
          assert.equal(signal, null, `${line}: it waited`);
          assert.ok(code > 1, `${line}: code ${code}`);
        }
      };
      await Promise.all([turn(), turn()]);
    } finally {
      home.remove();
    }
  }),
);

Deno.test(
  requiring(
    ["mkfifo"],
    "no command waits for a named pipe in a directory that a killed one left",
    async () => {
      const home = new Home();
      try {
        const folder = ".stella-00000000-0000-4000-8000-000000000000.partial";
        for (const place of ["made", "to"]) {
          mkdirSync(join(home.path, place, folder), { recursive: true });
          const args = [join(home.path, place, folder, "lock")];
          assert.ok((await new Deno.Command("mkfifo", { args }).output()).success);
        }
        const commands = [
          "export bundle --profile kit --manifest made/manifest.json",
          "export bundle unpack --manifest made/manifest.json --to to",
        ];
        for (const line of commands) {
          const { code, signal } = await run(home, line);
          assert.deepEqual([code, signal], [0, null], line);
        }
      } finally {
        home.remove();
      }
    },
  ),
);

async function run(home: Home, line: string): Promise<Deno.CommandStatus> {
  const [command, ...words] = programWords();
  const child = new Deno.Command(command, {
    args: [...words, ...line.split(" ")],
    cwd: home.path,
    env: home.environment(),
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const late = setTimeout(() => child.kill("SIGKILL"), bound);
  const status = await child.status;
  clearTimeout(late);
  return status;
}
