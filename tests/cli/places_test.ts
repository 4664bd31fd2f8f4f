/** Locations that a command cannot use or must not trust. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Home } from "../support/program.ts";
import { requiring } from "../support/needs.ts";

const kit = ["export", "bundle", "--profile", "kit"];

async function withKit(body: (home: Home, out: string) => Promise<void>): Promise<void> {
  const home = new Home();
  try {
    await home.succeed([...kit, "--manifest", "out/manifest.json"]);
    await body(home, join(home.path, "out"));
  } finally {
    home.remove();
  }
}

Deno.test(requiring(
  { others: { "/dev/shm": existsSync("/dev/shm") } },
  "a path below /dev cannot be opened, and the error explains why and what to do",
  () =>
    withKit(async (home, out) => {
      const place = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "stella-place-" });
      try {
        cpSync(out, place, { recursive: true });
        const manifest = join(place, "manifest.json");
        const rows = [
          ["verify", place],
          ["export", "bundle", "list", "--manifest", manifest],
          ["export", "bundle", "unpack", "--manifest", manifest, "--to", "to"],
          [
            "export",
            "bundle",
            "--profile",
            "p",
            "--input",
            place,
            "--manifest",
            "new/manifest.json",
          ],
          [...kit, "--manifest", join(place, "new/manifest.json")],
          ["verify", out, "--trust", manifest],
        ];
        for (const row of rows) {
          const ran = await home.json(row);
          assert.equal(ran.exit, 2, row.join(" "));
          assert.match(ran.error.message, /files below \/dev, \/proc and \/sys are not opened/);
          assert.match(ran.error.hint, /choose another directory/);
        }
      } finally {
        Deno.removeSync(place, { recursive: true });
      }
    }),
));

Deno.test("a --trust path through a link in the bundle adds no trust, wherever the link leads", async () => {
  await withKit(async (home, out) => {
    const elsewhere = join(home.path, "upload");
    mkdirSync(elsewhere);
    cpSync(join(home.state, "keys/signing.pub"), join(elsewhere, "its.pub"));
    const trust = join(home.path, "trust.d");
    mkdirSync(trust);
    const env = { STELLA_DATA: join(home.path, "elsewhere") };
    const refused = async (path: string) => {
      const ran = await home.json(["verify", out, "--trust", path], { env });
      assert.equal(ran.exit, 2, path);
      assert.match(ran.error.message, /is in the bundle's own directory/);
    };
    symlinkSync(join(elsewhere, "its.pub"), join(out, "hop.pub"));
    symlinkSync("../out/hop.pub", join(trust, "file.pub"));
    await refused(trust);
    await refused(join(trust, "file.pub"));
    rmSync(join(trust, "file.pub"));
    symlinkSync(elsewhere, join(out, "hop"));
    symlinkSync("../out/hop/its.pub", join(trust, "folder.pub"));
    await refused(trust);
    rmSync(join(trust, "folder.pub"));
    symlinkSync("../upload/its.pub", join(trust, "direct.pub"));
    assert.equal((await home.json(["verify", out, "--trust", trust], { env })).exit, 0);
    symlinkSync("nowhere", join(trust, "dangling.pub"));
    const dangling = await home.json(["verify", out, "--trust", trust], { env });
    assert.match(dangling.error.message, /Cannot read the public key .*dangling/);
  });
});

Deno.test("a link from a trusted directory into the bundle adds no trust", async () => {
  await withKit(async (home, out) => {
    const key = join(home.state, "keys/signing.pub");
    cpSync(key, join(out, "its.pub"));
    const trust = join(home.path, "trust.d");
    mkdirSync(trust);
    symlinkSync(join(out, "its.pub"), join(trust, "its.pub"));
    const env = { STELLA_DATA: join(home.path, "elsewhere") };
    const ran = await home.json(["verify", out, "--trust", trust], { env });
    assert.equal(ran.exit, 2);
    assert.match(ran.error.message, /trust\.d\/its\.pub.* is in the bundle's own directory/);
    const asked = ["verify", out, "--trust", trust, "--trust-from-media"];
    assert.equal((await home.json(asked, { env })).exit, 0);
  });
});
