import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { StellaError } from "../../src/domain/errors.ts";
import { checkPrograms, copyProgram, programsOf } from "../../src/export/companions.ts";
import { noPrivateFiles } from "../support/bundle_fixture.ts";
import { Home } from "../support/program.ts";

function inDirectory(body: (directory: string) => void): void {
  const directory = mkdtempSync(`${tmpdir()}/stella-programs-`);
  try {
    body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

Deno.test("the running program is packed as stella, others keep their names", () => {
  assert.deepEqual(programsOf(undefined), []);
  assert.deepEqual(programsOf("/usr/bin/s2", ["dist/stella.exe", "/b/stella-arm"]), [
    { name: "stella", path: "/usr/bin/s2" },
    { name: "stella.exe", path: "dist/stella.exe" },
    { name: "stella-arm", path: "/b/stella-arm" },
  ]);
});

Deno.test("a carried program has the same bytes, is executable and is described", () => {
  inDirectory((directory) => {
    const bytes = new Uint8Array(2_500_000).fill(7); // more than two pieces
    writeFileSync(`${directory}/from`, bytes, { mode: 0o600 });
    const program = { name: "stella.exe", path: `${directory}/from` };
    const file = copyProgram(directory, program, noPrivateFiles);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const size = bytes.length;
    assert.deepEqual(file, { path: "stella.exe", role: "program", executable: true, size, sha256 });
    assert.ok(readFileSync(`${directory}/stella.exe`).equals(bytes));
    assert.equal(statSync(`${directory}/stella.exe`).mode & 0o777, 0o755);
  });
});

Deno.test("programs that cannot be packed are all refused at once, each with its reason", () => {
  inDirectory((directory) => {
    const signatures = ["Manifest.json.OLD", "x.SigStore.json", "x.hmac.json"];
    for (const name of ["stella", "Verify.SH", ".hidden", "a:b", "good", ...signatures]) {
      writeFileSync(`${directory}/${name}`, "x");
    }
    mkdirSync(`${directory}/folder`);
    const paths = [
      "good",
      "stella",
      "Verify.SH",
      ".hidden",
      "a:b",
      "folder",
      "none",
      "manifest.json",
      ...signatures,
    ];
    writeFileSync(`${directory}/manifest.json`, "x");
    const programs = programsOf(`${directory}/good`, paths.map((name) => `${directory}/${name}`));
    assert.throws(() => checkPrograms(programs, ["verify.sh"]), (error: StellaError) => {
      assert.equal(error.kind, "usage");
      const found = error.findings.map((
        { path, found },
      ) => [path!.slice(directory.length + 1), found]);
      assert.deepEqual(found, [
        ["stella", "the bundle has another file called stella"],
        ["Verify.SH", "the bundle has another file called Verify.SH"],
        [".hidden", "its name begins with a dot"],
        ["a:b", "it has the character :"],
        ["folder", "it is not a file"],
        ["none", "no such file or directory"],
        ["manifest.json", "the bundle has another file called manifest.json"],
        ["Manifest.json.OLD", "the bundle has another file called Manifest.json.OLD"],
        ["x.SigStore.json", "its name is that of a signature"],
        ["x.hmac.json", "its name is that of a signature"],
      ]);
      return true;
    });
    checkPrograms(programs.slice(0, 2), ["verify.sh"]);
  });
});

Deno.test("a build for another platform goes with the bundle and is verified with it", async () => {
  const home = new Home();
  try {
    writeFileSync(`${home.path}/stella.exe`, "MZ");
    const kit = ["export", "bundle", "--profile", "kit", "--include-binary", "stella.exe"];
    await home.succeed(kit);
    await home.succeed(["verify", "out"]);
    writeFileSync(`${home.path}/out/stella.exe`, "MX");
    const ran = await home.json(["verify", "out"]);
    assert.deepEqual([ran.exit, ran.findings[0].path], [7, "stella.exe"]);
    const refused = await home.json([...kit, "--include-binary", "nowhere"]);
    assert.deepEqual([refused.exit, refused.findings[0].reason], [12, "path_missing"]);
  } finally {
    home.remove();
  }
});
