import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Home } from "../program.ts";

Deno.test("no key is made where the bundle goes", async () => {
  const home = new Home();
  try {
    const env = { STELLA_DATA: join(home.path, "out/state") };
    const ran = await home.json([
      "export",
      "bundle",
      "--profile",
      "kit",
      "--manifest",
      "out/manifest.json",
    ], { env });
    assert.equal(ran.exit, 2);
    assert.match(ran.error.message, /the keys lie in it/);
    assert.ok(!existsSync(join(home.path, "out")));
  } finally {
    home.remove();
  }
});
