/** Keys that came with the bundle are refused by their location, whatever path names them. */
import assert from "node:assert/strict";
import { linkSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { refuseOpenedFromMedia, refuseTrustFromMedia } from "../../src/attest/check/key_origin.ts";
import { withDirectory, writeFiles } from "../support/bundle_fixture.ts";

const inDirectory = { kind: "usage", message: /is in the bundle's own directory$/ };
const onMedium = { kind: "usage", message: /is on the bundle's own medium$/ };

Deno.test("a key in or below the bundle's directory is refused, however the path is written", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "out/k.pub": "", "out/keys/k.pub": "", "out2/k.pub": "", "k.pub": "" });
    const out = join(root, "out");
    symlinkSync("out", join(root, "link"));
    symlinkSync("out/k.pub", join(root, "inside.pub"));
    symlinkSync(join(root, "k.pub"), join(root, "out/outside.pub"));
    const refused = [
      "out",
      "out/k.pub",
      "out/keys",
      "out2/../out/k.pub",
      "link/k.pub",
      "inside.pub",
      "out/outside.pub",
    ];
    for (const path of refused) {
      for (const bundle of [out, `${out}/`, join(root, "link")]) {
        assert.throws(
          () => refuseTrustFromMedia(join(root, path), bundle, ["/", root]),
          inDirectory,
        );
      }
    }
    for (const path of ["k.pub", "out2/k.pub", "out2", "."]) {
      refuseTrustFromMedia(join(root, path), out, ["/", root]);
    }
    const below = () => refuseTrustFromMedia(join(root, "k.pub"), "/", ["/", root]);
    assert.throws(below, inDirectory);
  });
});

Deno.test("a link that leads up and back into the bundle is refused, and a link loop is an io error", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "out/k.pub": "", "keys/own.pub": "" });
    symlinkSync("../out/k.pub", join(root, "keys/up.pub"));
    symlinkSync("../keys/own.pub", join(root, "keys/back.pub"));
    symlinkSync("circle.pub", join(root, "keys/circle.pub"));
    const refuse = (name: string) =>
      refuseTrustFromMedia(join(root, "keys", name), join(root, "out"), ["/", root]);
    assert.throws(() => refuse("up.pub"), inDirectory);
    refuse("back.pub");
    assert.throws(() => refuse("circle.pub"), { kind: "io", message: /too many levels/ });
  });
});

Deno.test("a hard link to a file of the bundle or its payload is refused", async () => {
  await withDirectory((root) => {
    writeFiles(root, {
      "out/manifest.json": "",
      "out/k.pub": "k",
      "out/keys/l.pub": "l",
      "out/payload/a/m.pub": "m",
      "own.pub": "own",
    });
    const at = (name: string) => join(root, name);
    const opened = (name: string) => () =>
      refuseOpenedFromMedia(at(name), statSync(at(name)), at("out"), ["/", root]);
    for (const [name, file] of [["k", "k.pub"], ["l", "keys/l.pub"], ["m", "payload/a/m.pub"]]) {
      linkSync(at(`out/${file}`), at(`${name}.pub`));
      refuseTrustFromMedia(at(`${name}.pub`), at("out"), ["/", root]);
      assert.throws(opened(`${name}.pub`), inDirectory, name);
    }
    opened("own.pub")();
    linkSync(at("own.pub"), at("second.pub"));
    opened("own.pub")();
  });
});

Deno.test("a file with the same inode, size and time on another device counts as the same file (overlayfs)", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "out/k.pub": "key" });
    const file = join(root, "out/k.pub");
    utimesSync(file, 1.7e9, 1.7e9);
    const stat = statSync(file);
    const other = (change: object) => Object.assign(statSync(file), { dev: stat.dev + 1 }, change);
    const opened = (seen: typeof stat) => () =>
      refuseOpenedFromMedia("/overlay/k.pub", seen, join(root, "out"), ["/", root]);
    assert.throws(opened(other({})), inDirectory);
    for (const change of [{ ino: stat.ino + 1 }, { size: 4 }, { mtimeMs: 1 }]) {
      opened(other(change))();
    }
  });
});

Deno.test("a key on the bundle's device is refused, unless the device belongs to this machine", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "stick/b/manifest.json": "", "stick/keys/k.pub": "k" });
    const [bundle, key] = [join(root, "stick/b"), join(root, "stick/keys/k.pub")];
    const refuse = (machine: string[]) => {
      refuseTrustFromMedia(key, bundle, machine);
      refuseOpenedFromMedia(key, statSync(key), bundle, machine);
    };
    assert.throws(() => refuse([]), onMedium);
    assert.throws(() => refuse(["/proc"]), onMedium);
    const opened = () => refuseOpenedFromMedia(key, statSync(key), bundle, ["/proc"]);
    assert.throws(opened, onMedium);
    refuse([root]);
    // For a state directory that does not exist yet, its future location counts.
    refuse(["/proc", join(root, "state/none/yet")]);
    const elsewhere = Object.assign(statSync(key), { dev: statSync(key).dev + 1 });
    refuseOpenedFromMedia(key, elsewhere, bundle, ["/proc"]);
  });
});

Deno.test("a key with several hard links is refused if the bundle's directory is too large to search", async () => {
  await withDirectory((root) => {
    writeFiles(root, { "out/manifest.json": "", "k.pub": "k" });
    const at = (name: string) => join(root, name);
    const refuse = (max: number) =>
      refuseOpenedFromMedia(at("k.pub"), statSync(at("k.pub")), at("out"), ["/", root], max);
    refuse(0);
    linkSync(at("k.pub"), at("l.pub"));
    refuse(1024 * 1024);
    const refused = { kind: "usage", message: /too many files to compare it with/ };
    assert.throws(() => refuse(0), refused);
  });
});
