/**
 * Commands on many files need few descriptors: export, verify and unpack 2,000 files with a limit
 * of 256.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programWords, withHome } from "../support/program.ts";

Deno.test("export, verify and unpack handle 2,000 files with at most 256 open descriptors", () =>
  withHome(async (home) => {
    const input = join(home.path, "files");
    mkdirSync(input);
    for (let i = 0; i < 2_000; i++) writeFileSync(join(input, `${i}.txt`), `content of ${i}\n`);
    const limited = async (...args: string[]) => {
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", 'ulimit -n 256 && exec "$@"', "sh", ...programWords(), ...args],
        cwd: home.path,
        env: home.environment(),
        clearEnv: true,
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).output();
      assert.equal(code, 0, `${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    };
    for (const layout of ["archive", "directory"]) {
      const bundle = ["export", "bundle"];
      const manifest = ["--manifest", `${layout}/manifest.json`];
      await limited(
        ...bundle,
        "--profile",
        "a",
        "--input",
        "files",
        "--layout",
        layout,
        ...manifest,
      );
      await limited("verify", layout);
      await limited(...bundle, "unpack", ...manifest, "--to", `${layout}-unpacked`);
    }
  }));
