/**
 * A key on the bundle's own medium is refused on real file systems: a stick with ext4, bind mounts,
 * an overlay and hard links. Each command runs in a mount namespace of its own.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requiring, tool } from "../support/needs.ts";
import { Home, programWords } from "../support/program.ts";

const tools = ["unshare", "mount", "mkfs.ext4", "truncate", "ln", "cp"];

/** Whether this user may mount in a namespace; containers differ. */
function mayMount(): boolean {
  const script = "mount -t tmpfs none /mnt";
  const unshare = tool("unshare");
  return unshare !== undefined && spawnSync(unshare, ["-m", "sh", "-c", script]).status === 0;
}

/** Runs stella after `script` has mounted what it needs; `$H` is the home directory. */
function ran(home: Home, script: string, args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(
    tool("unshare")!,
    ["-m", "sh", "-ec", `${script}\nexec "$@"`, "sh", ...programWords(), ...args],
    {
      cwd: home.path,
      env: { ...home.environment({ H: home.path, ...env }), PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      encoding: "utf8",
    },
  );
  return { status, printed: stdout + stderr };
}

/** The stick, with a bundle and keys beside it. */
const stick = 'mount -o loop "$H/stick.img" "$H/stick"';

/** What is mounted, the options, and the expected message. */
const rows: [string, string, string[], RegExp][] = [
  ["a key in another folder of the stick", stick, ["--trust", "stick/keys/k.pub"], /own medium/],
  ["a directory of keys on the stick", stick, ["--trust", "stick/keys"], /own medium/],
  ["a secret on the stick", stick, ["--secret", "stick/keys/s.key"], /own medium/],
  [
    "a link on the stick that leads away from it",
    `${stick}; ln -s "$H/k.pub" "$H/stick/hop.pub"`,
    ["--trust", "stick/hop.pub"],
    /own medium/,
  ],
  [
    "a folder of the stick mounted elsewhere",
    `${stick}; mount --bind "$H/stick/keys" "$H/elsewhere"`,
    ["--trust", "elsewhere/k.pub"],
    /own medium/,
  ],
  [
    "the bundle's directory mounted elsewhere",
    `${stick}; mount --bind "$H/stick/b" "$H/elsewhere"`,
    ["--trust", "elsewhere/k.pub"],
    /own directory/,
  ],
  [
    "the bundle's own key mounted as a file",
    'cp -r "$H/b" "$H/stick"; touch "$H/f.pub"; mount --bind "$H/stick/b/k.pub" "$H/f.pub"',
    ["--trust", "f.pub"],
    /own directory/,
  ],
  [
    "a hard link of the bundle's own key",
    'cp -r "$H/b" "$H/stick"; ln "$H/stick/b/k.pub" "$H/l.pub"',
    ["--trust", "l.pub"],
    /own directory/,
  ],
  [
    "an overlay of the bundle's directory",
    `${stick}; mount -t tmpfs none "$H/t"; mkdir "$H/t/u" "$H/t/w"
     mount -t overlay none "$H/elsewhere" -o "lowerdir=$H/stick/b,upperdir=$H/t/u,workdir=$H/t/w"`,
    ["--trust", "elsewhere/k.pub"],
    /own directory/,
  ],
];

Deno.test(requiring(
  { tools, others: { "the right to mount": mayMount() } },
  "a key on the bundle's medium is refused by device and inode",
  async (t) => {
    const home = new Home();
    try {
      await home.succeed(["keys", "generate", "--algorithm", "hmac", "--out", "s.key"]);
      const secret = ["--secret", "s.key"];
      const kit = ["export", "bundle", "--profile", "kit", ...secret];
      await home.succeed([...kit, "--manifest", "b/manifest.json"]);
      const key = (await home.succeed(["keys", "show", "--public"])).stdout;
      writeFileSync(join(home.path, "b/k.pub"), key);
      writeFileSync(join(home.path, "k.pub"), key);
      for (const name of ["stick", "elsewhere", "t"]) mkdirSync(join(home.path, name));
      const made = `truncate -s 16M "$H/stick.img"; mkfs.ext4 -q "$H/stick.img"; ${stick}
        cp -r "$H/b" "$H/stick"; mkdir "$H/stick/keys"; cp "$H/k.pub" "$H/s.key" "$H/stick/keys"`;
      assert.deepEqual(ran(home, made, ["version", "--json"]).status, 0);
      const env = { STELLA_DATA: join(home.path, "other") };
      for (const [name, script, options, printed] of rows) {
        await t.step(name, () => {
          const args = ["verify", "stick/b", ...options];
          const refused = ran(home, script, args, env);
          assert.equal(refused.status, 2, refused.printed);
          assert.match(refused.printed, printed);
          ran(home, 'rm -rf "$H/stick/b" "$H/l.pub" "$H/f.pub"', ["version"]);
        });
      }
      await t.step("a trust directory on the stick is refused", () => {
        const config = { ...env, XDG_CONFIG_HOME: join(home.path, "stick/config") };
        const script = `${stick}; mkdir -p "$H/stick/config/stella/trust.d"
          cp "$H/k.pub" "$H/stick/config/stella/trust.d"`;
        const refused = ran(home, script, ["verify", "stick/b"], config);
        assert.equal(refused.status, 2, refused.printed);
        assert.match(refused.printed, /trust\.d.*own medium/);
      });
      await t.step(
        "a key of this machine is accepted, and one on the stick with --trust-from-media",
        () => {
          const own = ran(home, stick, ["verify", "stick/b", "--trust", "k.pub"], env);
          assert.equal(own.status, 0, own.printed);
          assert.doesNotMatch(own.printed, /own medium/);
          const asked = ["--trust", "stick/keys/k.pub", "--trust-from-media"];
          for (
            const verb of [["verify", "stick/b"], [
              ...["export", "bundle", "unpack", "--manifest", "stick/b", "--to", "unpacked"],
            ]]
          ) {
            const { status, printed } = ran(home, stick, [...verb, ...asked], env);
            assert.equal(status, 0, printed);
            assert.match(
              printed,
              /own medium were trusted \(--trust-from-media\): this does not prove/,
            );
          }
        },
      );
    } finally {
      home.remove();
    }
  },
));
