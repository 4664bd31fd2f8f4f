/** The binary in a minimal root directory: glibc's libraries, /proc, /dev/null and a bundle. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BinaryPlace, form, type Printed, rootTest, runWith } from "./binary_place.ts";

/**
 * Another user, no network, nothing writable, no variables, in namespaces that end with the
 * command.
 */
function inBareRoot(root: string, withProc: boolean, args: string[]): Printed {
  const lines = [
    "set -e",
    `mount --bind '${root}' '${root}'`,
    ...(withProc ? [`mount -t proc proc '${root}/proc'`] : []),
    `mount --bind /dev/null '${root}/dev/null'`,
    `mount -o remount,bind,ro '${root}'`,
    `exec env -i "$(command -v chroot)" --userspec=65534:65534 '${root}' /stella "$@"`,
  ];
  const namespaces = ["--mount", "--net", "--pid", "--fork"];
  const shell = ["/bin/sh", "-c", lines.join("\n"), "sh", ...args];
  return runWith({ PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }, "unshare", [...namespaces, ...shell]);
}

function bareRoot({ stella, home, bundle, key }: BinaryPlace): string {
  const root = join(home.path, "root");
  for (const name of ["proc", "dev", "media"]) mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, "dev/null"), "");
  cpSync(stella, join(root, "stella"));
  cpSync(`${stella}.sha256`, join(root, "stella.sha256"));
  cpSync(bundle, join(root, "media/bundle"), { recursive: true });
  cpSync(key, join(root, "signer.pub"));
  for (const library of librariesOf(form === "portable" ? Deno.execPath() : stella)) {
    mkdirSync(dirname(join(root, library)), { recursive: true });
    cpSync(library, join(root, library), { dereference: true });
  }
  return root;
}

function librariesOf(program: string): string[] {
  const listed = spawnSync("ldd", [program]).stdout.toString();
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map((found) => found[1]!);
}

Deno.test(
  rootTest(
    ["unshare", "chroot", "ldd"],
    "the binary verifies a bundle in a minimal root directory",
    (place) => {
      const root = bareRoot(place);
      const trusted = inBareRoot(root, true, ["verify", "/media", "--trust", "/signer.pub"]);
      assert.deepEqual([trusted.code, trusted.stderr], [0, ""]);
      assert.match(trusted.stdout, /^verified {2}kit .*all digests match/s);
      const stranger = inBareRoot(root, true, ["verify", "/media", "--json"]);
      assert.deepEqual(
        [stranger.code, JSON.parse(stranger.stdout).findings[0].reason],
        [5, "key_unknown"],
      );
      const version = inBareRoot(root, true, ["version", "--check"]);
      assert.deepEqual([version.code, version.stderr], [0, ""]);
    },
  ),
);

Deno.test(rootTest(
  ["unshare", "chroot", "ldd"],
  "without /proc the launcher reports what is missing; the compiled form works without it",
  (place) => {
    const { code, stdout, stderr } = inBareRoot(bareRoot(place), false, ["version"]);
    if (form === "portable") {
      const printed = "stella: Cannot start: /proc/self/exe cannot be read (is /proc mounted?)";
      assert.deepEqual([code, stderr.slice(0, printed.length)], [1, printed]);
    } else assert.deepEqual([code, stderr, stdout.slice(0, 7)], [0, "", "stella "]);
  },
));

Deno.test(rootTest(
  ["unshare"],
  "the binary starts where memfd files may not be executed",
  ({ stella }) => {
    const script =
      `echo 2 >/proc/sys/vm/memfd_noexec && cat /proc/sys/vm/memfd_noexec && exec "$0" version`;
    const args = ["--pid", "--fork", "--mount-proc", "/bin/sh", "-c", script, stella];
    const { code, stdout, stderr } = runWith({ PATH: "/usr/bin:/bin" }, "unshare", args);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^2\nstella /);
  },
  { "Linux 6.3": existsSync("/proc/sys/vm/memfd_noexec") },
));

Deno.test(rootTest(
  ["unshare", "mount"],
  "on a medium mounted noexec the system refuses to start the binary",
  ({ stella, home }) => {
    mkdirSync(join(home.path, "stick"));
    const lines = [
      `mount -t tmpfs -o noexec,size=200m none '${home.path}/stick'`,
      `cp '${stella}' '${home.path}/stick/stella'`,
      `'${home.path}/stick/stella' version`,
    ];
    const args = ["--mount", "/bin/sh", "-c", lines.join(" && ")];
    const { code, stderr } = runWith({ PATH: "/usr/bin:/bin" }, "unshare", args);
    assert.deepEqual([code, /stella: Permission denied/.test(stderr)], [126, true]);
  },
));
