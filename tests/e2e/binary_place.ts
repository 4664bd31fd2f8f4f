/** What the tests of the built binary start from: a bundle, its signer's key, and ways to run the binary in odd surroundings. */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { testWith } from "../needs.ts";
import { binary, Home } from "../program.ts";

export interface BinaryPlace {
  /** The binary's path. */
  stella: string;
  home: Home;
  /** A directory that holds a bundle of the kit, which everybody may read and nobody should write. */
  bundle: string;
  /** The public key that signed it, elsewhere. */
  key: string;
}

/** A test of the binary that STELLA_BINARY names; without one, or without the tools, it is skipped by name. */
export function binaryTest(
  tools: string[],
  name: string,
  body: (place: BinaryPlace) => Promise<void> | void,
): void {
  if (binary === undefined) {
    return Deno.test({ name: `${name} (needs --binary)`, ignore: true, fn() {} });
  }
  const stella = binary;
  testWith(tools, name, async () => {
    const home = new Home();
    try {
      await home.succeed([
        "export",
        "bundle",
        "--profile",
        "kit",
        "--manifest",
        "out/manifest.json",
      ]);
      const [bundle, key] = [join(home.path, "out"), join(home.path, "signer.pub")];
      copyFileSync(join(home.state, "keys/signing.pub"), key);
      chmodSync(home.path, 0o755);
      chmodSync(bundle, 0o555);
      await body({ stella, home, bundle, key });
    } finally {
      spawnSync("/bin/chmod", ["-R", "u+w", home.path]);
      home.remove();
    }
  });
}

/** As binaryTest, for what only root can make: namespaces and mounts. */
export function rootTest(...[tools, name, body]: Parameters<typeof binaryTest>): void {
  if (Deno.uid() === 0) return binaryTest(tools, name, body);
  Deno.test({ name: `${name} (needs root)`, ignore: true, fn() {} });
}

export interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program with exactly these variables. */
export function runWith(
  variables: Record<string, string>,
  program: string,
  args: string[],
  options: { cwd?: string; input?: string } = {},
): Said {
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const { status, stdout, stderr } = spawnSync("/usr/bin/env", ["-i", ...pairs, program, ...args], {
    ...options,
    timeout: 60_000,
  });
  return { code: status, stdout: stdout.toString(), stderr: stderr.toString() };
}
