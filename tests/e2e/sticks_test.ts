/**
 * A volume set on three FAT sticks: written, verified in any order, with one missing, with one
 * damaged. Where the system mounts vfat the sticks are loop-mounted images; elsewhere mtools write
 * and read the same images.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createCipheriv } from "node:crypto";
import { join } from "node:path";
import { requiring, tool } from "../support/needs.ts";
import { Home } from "../support/program.ts";

const canMount = Deno.uid() === 0 && /\bvfat$/m.test(readFileSync("/proc/filesystems", "utf8"));

function ran(name: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(tool(name)!, args, {
    env: { MTOOLS_SKIP_CHECK: "1", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  assert.equal(status, 0, `${name} ${args.join(" ")}: ${stderr}`);
}

/** A stick of 16 MiB: an image, and a directory in which its files are seen. */
class Stick {
  readonly image: string;
  readonly place: string;

  constructor(home: Home, name: string) {
    this.image = join(home.path, `${name}.img`);
    this.place = join(home.path, name);
    mkdirSync(this.place);
    writeFileSync(this.image, "");
    truncateSync(this.image, 16 << 20);
    ran("mkfs.vfat", this.image);
  }

  /** Writes files onto the image and plugs it in. */
  write(files: string[]): void {
    ran("mcopy", "-i", this.image, ...files, "::/");
    this.plug();
  }

  plug(mode: "ro" | "rw" = "ro"): void {
    if (canMount) return ran("mount", "-o", `loop,${mode}`, this.image, this.place);
    Deno.removeSync(this.place, { recursive: true });
    mkdirSync(this.place);
    ran("mcopy", "-s", "-i", this.image, "::/*", this.place);
  }

  unplug(): void {
    if (canMount) spawnSync(tool("umount")!, [this.place]);
  }

  /** Changes one byte of the medium within the content `bytes`. */
  damage(bytes: Uint8Array): void {
    this.unplug();
    const image = readFileSync(this.image);
    const at = image.indexOf(bytes);
    assert.ok(at > 0, "the content is not on the stick in one piece");
    image[at + 100]! ^= 1;
    writeFileSync(this.image, image);
    this.plug();
  }
}

interface Set {
  home: Home;
  sticks: Stick[];
  volumes: string[];
}

async function withSet(work: (set: Set) => Promise<void>): Promise<void> {
  const home = new Home();
  const sticks: Stick[] = [];
  try {
    const noise = createCipheriv("aes-128-ctr", new Uint8Array(16), new Uint8Array(16));
    mkdirSync(join(home.path, "in"));
    for (let i = 0; i < 10; i++) {
      writeFileSync(join(home.path, `in/f${i}`), noise.update(new Uint8Array(2 << 20)));
    }
    const args = ["export", "bundle", "--profile", "p", "--input", "in", "--volume-size", "9M"];
    const { files } = await home.json([...args, "--manifest", "out/manifest.json"]);
    const volumes = (files as string[]).filter((name) => /\.\d{3}$/.test(name)).sort();
    assert.equal(volumes.length, 3);
    const others = (files as string[]).filter((name) => !volumes.includes(name));
    for (const [i, volume] of volumes.entries()) {
      const stick = new Stick(home, `stick${i + 1}`);
      sticks.push(stick);
      const names = i === 0 ? [...others, volume] : [volume];
      stick.write(names.map((name) => join(home.path, "out", name)));
    }
    await work({ home, sticks, volumes });
  } finally {
    sticks.forEach((stick) => stick.unplug());
    home.remove();
  }
}

// deno-lint-ignore no-explicit-any -- the result as the program prints it
function verify({ home, sticks }: Set, ...others: number[]): Promise<any> {
  const more = others.flatMap((i) => ["--volumes", sticks[i]!.place]);
  const manifest = join(sticks[0]!.place, "manifest.json");
  return home.json(["export", "bundle", "verify", "--manifest", manifest, ...more]);
}

const how = canMount ? "loop-mounted" : "read by mtools";

Deno.test(
  requiring(
    ["mkfs.vfat", "mcopy"],
    `volumes on three FAT sticks, ${how}, are verified`,
    async (t) => {
      await withSet(async (set) => {
        const states = (volumes: { state: string }[]) => volumes.map(({ state }) => state);
        await t.step("in any order", async () => {
          for (const order of [[1, 2], [2, 1], [2, 0, 1]]) {
            const { exit, verdict, volumes } = await verify(set, ...order);
            assert.deepEqual([exit, verdict], [0, "verified"], String(order));
            assert.deepEqual(
              volumes.map(({ where }: { where: string }) => where),
              set.sticks.map(({ place }) => place),
            );
          }
        });
        await t.step("with one missing", async () => {
          const { exit, volumes, findings } = await verify(set, 2);
          assert.equal(exit, 10);
          assert.deepEqual(states(volumes), ["ok", "missing", "ok"]);
          assert.deepEqual([findings[0].reason, findings[0].path], [
            "volume_missing",
            set.volumes[1],
          ]);
        });
        await t.step(
          "with one damaged: the stick, the offset and the affected files are reported",
          async () => {
            const volume = readFileSync(join(set.home.path, "out", set.volumes[1]!));
            set.sticks[1]!.damage(volume.subarray(0, 4096));
            const { exit, volumes, findings } = await verify(set, 2, 1);
            assert.equal(exit, 7);
            assert.deepEqual(states(volumes), ["ok", "damaged", "ok"]);
            assert.deepEqual([findings[0].reason, findings[0].path], [
              "digest_mismatch",
              set.volumes[1],
            ]);
            assert.equal(findings[0].range[0], 0);
            const digests = findings.filter(({ reason }: { reason: string }) =>
              reason === "digest_mismatch"
            );
            assert.equal(digests.length, 1, "the rest is what could not be verified because of it");
          },
        );
      });
    },
  ),
);

Deno.test(requiring(
  { tools: ["mkfs.vfat", "mount"], others: { "vfat and root": canMount } },
  "a FAT stick is written, read back from the medium, and verifies after it is plugged in again",
  async () => {
    const home = new Home();
    const stick = new Stick(home, "stick");
    try {
      mkdirSync(join(home.path, "in"));
      writeFileSync(join(home.path, "in/a"), new Uint8Array(2 << 20));
      const args = ["export", "bundle", "--profile", "p", "--input", "in", "--compression", "none"];
      await home.succeed(args);
      stick.plug("rw");
      const { exit, readBack } = await home.json(["stick", "write", "out", stick.place]);
      assert.deepEqual([exit, readBack], [0, "medium"]);
      stick.unplug();
      stick.plug();
      assert.equal((await home.json(["verify", stick.place])).exit, 0);
    } finally {
      stick.unplug();
      home.remove();
    }
  },
));
