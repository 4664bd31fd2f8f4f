import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { Home } from "../support/program.ts";

/** Runs `stella status --manifest` against a service that responds with this status. */
async function compared(home: Home, status: unknown) {
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  await using service = Deno.serve(options, () => Response.json(status));
  const { port } = service.addr;
  return await home.json(["status", "--server", `http://127.0.0.1:${port}`, "--manifest", "out"]);
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

Deno.test("a running service is compared with version, commit and binary of a manifest", async () => {
  const home = new Home();
  try {
    writeFileSync(`${home.path}/stella`, "this build");
    await home.succeed(["export", "bundle", "--profile", "kit", "--include-binary", "stella"]);
    const { version, commit } = await home.json(["version"]);
    const same = { version, commit, buildDate: "", form: "portable", features: {} };
    const binary = (text: string) => ({ ...same, binary: { sha256: sha256(text) } });
    assert.equal((await compared(home, same)).exit, 0);
    assert.equal((await compared(home, binary("this build"))).exit, 0);

    const differs = async (status: unknown) => {
      const { exit, findings } = await compared(home, status);
      assert.equal(exit, 7);
      return findings.map(({ found }: { found: string }) => found);
    };
    const other = sha256("another");
    assert.deepEqual(await differs(binary("another")), [`binary sha256 ${other}`]);
    const strange = { ...binary("another"), version: "9.9.9", commit: "0".repeat(40) };
    assert.deepEqual(await differs(strange), [
      "version 9.9.9",
      `commit ${"0".repeat(40)}`,
      `binary sha256 ${other}`,
    ]);
    const odd = await compared(home, { ...same, binary: "odd" });
    assert.deepEqual([odd.exit, /Cannot read the status/.test(odd.error.message)], [13, true]);
  } finally {
    home.remove();
  }
});
