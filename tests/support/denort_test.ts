/** denort is extracted from programs made by `deno compile`, and from no other file. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cutDenort } from "./cut_denort.ts";
import { assertFits, Unavailable } from "./denort.ts";

const onThisMachine = Deno.build.target === "x86_64-unknown-linux-gnu";

/**
 * What `deno compile` makes of a program of this system in the place of denort; it is never run.
 */
function compiledFrom(base: string): Buffer {
  const directory = Deno.makeTempDirSync({ prefix: "stella-cut-" });
  try {
    writeFileSync(`${directory}/empty.js`, "");
    const flags = ["--quiet", "--no-config", "--no-lock", "--no-check", "--no-code-cache"];
    const args = ["compile", ...flags, "--output", "program", "empty.js"];
    const { status, stderr } = spawnSync(Deno.execPath(), args, {
      cwd: directory,
      env: { ...Deno.env.toObject(), DENORT_BIN: base },
    });
    assert.equal(status, 0, stderr.toString());
    return readFileSync(`${directory}/program`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

const ignore = !onThisMachine;

Deno.test({
  name: "denort is extracted byte for byte from a program compiled with it",
  ignore,
  fn() {
    for (const base of ["/bin/true", "/bin/sh"]) {
      const compiled = compiledFrom(base);
      assert.ok(!compiled.equals(readFileSync(base)), "nothing was compiled");
      assert.ok(cutDenort(compiled).equals(readFileSync(base)), base);
    }
  },
});

Deno.test({
  name: "a program whose old table of sections was changed is refused",
  ignore,
  fn() {
    const compiled = compiledFrom("/bin/true");
    const base = cutDenort(compiled);
    const table = Number(base.readBigUInt64LE(40));
    compiled[table + 64 + 24]! ^= 1; // offset of the first section
    assert.throws(() => cutDenort(compiled), /section 1 of its own table is another one/);
  },
});

Deno.test({
  name: "a file that deno compile did not make is refused",
  ignore,
  fn() {
    assert.throws(() => cutDenort(readFileSync("/bin/true")), /the last sections are /);
    assert.throws(() => cutDenort(readFileSync("/bin/true").subarray(0, 9_000)), /past the end/);
    assert.throws(() => cutDenort(Buffer.from("no program")), /not a 64-bit little-endian ELF/);
  },
});

Deno.test("a denort for another platform or of another Deno is not available", () => {
  const linux = "x86_64-unknown-linux-gnu";
  for (const deno of ["2.9.4", "2.9.6"]) assertFits(linux, deno);
  assert.throws(() => assertFits("aarch64-apple-darwin", "2.9.4"), Unavailable);
  assert.throws(() => assertFits(linux, "2.10.0"), Unavailable);
});
