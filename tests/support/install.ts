/** The program as one file at a place of a test's own, as somebody who copies the binary has it. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { binary, type Home, programWords } from "./program.ts";

/**
 * Puts the program at `name` in the home. From its source it is a script that starts the source.
 * @returns the path
 */
export function installProgram(home: Home, name: string): string {
  const path = join(home.path, name);
  mkdirSync(dirname(path), { recursive: true });
  if (binary !== undefined) copyFileSync(binary, path);
  else {
    const words = programWords().map((word) => `'${word}'`).join(" ");
    writeFileSync(path, `#!/bin/sh\nexec ${words} "$@"\n`);
  }
  chmodSync(path, 0o755);
  return path;
}
