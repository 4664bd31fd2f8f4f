/** Links on a medium that point outside of it: row P4 of the test plan. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { type BinaryPlace, binaryTest, runWith } from "./binary_place.ts";

/**
 * The target of a link in the bundle: it has the right bytes, so that only its location is wrong.
 */
const outside = "outside-of-the-medium";

/**
 * Verifies a copy of the bundle in which `name` is a link. @returns the exit code, and whether the
 * target was opened
 */
function withLink({ stella, home, bundle, key }: BinaryPlace, name: string) {
  const medium = join(home.path, "medium");
  rmSync(medium, { recursive: true, force: true });
  cpSync(bundle, medium, { recursive: true });
  Deno.chmodSync(medium, 0o755);
  const target = join(home.path, outside);
  rmSync(target, { force: true });
  renameSync(join(medium, name), target);
  symlinkSync(target, join(medium, name));
  const trace = join(home.path, "trace");
  const traced = ["-f", "-o", trace, "-e", "trace=open,openat,openat2", stella];
  const args = [...traced, "verify", medium, "--trust", key, "--json"];
  const { code, stdout } = runWith({ HOME: home.path }, tool("strace")!, args);
  const opened = readFileSync(trace, "utf8").split("\n")
    .filter((line) => line.includes(medium) || line.includes(outside));
  return { code, stdout, opened };
}

Deno.test(binaryTest(
  ["strace"],
  "a link in place of a file is refused and its target is never opened",
  (place) => {
    const files = ["manifest.json", "manifest.json.sigstore.json", "SHA256SUMS", "kit.tar.zst"];
    for (const name of files) {
      const { code, stdout, opened } = withLink(place, name);
      assert.notEqual(code, 0, name);
      assert.match(stdout, /symbolic link/, `${name}: ${stdout}`);
      const through = opened.filter((line) =>
        (line.includes(outside) || line.includes(`/${name}"`)) && !/ = -1 /.test(line)
      );
      assert.deepEqual(through, [], name);
    }
  },
));
