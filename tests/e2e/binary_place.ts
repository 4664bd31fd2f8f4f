/**
 * Setup for tests of the built binary: a bundle, its signer's key, and ways to run the binary in
 * restricted environments.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isRoot, requiring } from "../support/needs.ts";
import { binary, Home } from "../support/program.ts";

export interface BinaryPlace {
  /** The binary's path. */
  stella: string;
  home: Home;
  /** A directory with a bundle of the kit, readable by everybody; tests must not write into it. */
  bundle: string;
  /** The public key that signed it, elsewhere. */
  key: string;
}

/** The form of STELLA_BINARY, read from its bytes. */
export const form = binary === undefined
  ? undefined
  : readFileSync(binary).subarray(-8).toString("latin1") === "STELLAv1"
  ? "portable"
  : "compiled";

/** What a test needs of the portable form's launcher or of the units' filters. */
export const sameMachine = {
  "Linux on x86-64": Deno.build.arch === "x86_64" && Deno.build.os === "linux",
};

/** The need of a kernel of `major.minor` or newer. */
export function kernel(major: number, minor: number): Record<string, boolean> {
  const [, has = 0, and = 0] = /^(\d+)\.(\d+)/.exec(Deno.osRelease())?.map(Number) ?? [];
  return { [`Linux ${major}.${minor}`]: has > major || (has === major && and >= minor) };
}

/** The variables that a unit written by the binary removes. */
export function unsetBy(unit: string): string[] {
  const lines = readFileSync(unit, "utf8").matchAll(/^UnsetEnvironment=(.*)$/gm);
  return [...lines].flatMap((found) => found[1]!.split(" "));
}

/**
 * A definition, for Deno.test, of a test of the binary that STELLA_BINARY names; without one, or
 * without the tools, it is skipped by name.
 * @param others what else the test needs
 */
export function binaryTest(
  tools: string[],
  name: string,
  body: (place: BinaryPlace) => Promise<void> | void,
  others: Record<string, boolean> = {},
): Deno.TestDefinition {
  const stella = binary ?? "";
  const needs = { tools, others: { "--binary": binary !== undefined, ...others } };
  return requiring(needs, name, async () => {
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
export function rootTest(
  ...[tools, name, body, others]: Parameters<typeof binaryTest>
): Deno.TestDefinition {
  return binaryTest(tools, name, body, { ...isRoot, ...others });
}

export interface Printed {
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
): Printed {
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const { status, stdout, stderr } = spawnSync("/usr/bin/env", ["-i", ...pairs, program, ...args], {
    ...options,
    timeout: 60_000,
  });
  return { code: status, stdout: stdout.toString(), stderr: stderr.toString() };
}
