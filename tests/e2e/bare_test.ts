/**
 * The carried verifier in a minimal environment: another user, no variables, no network, a
 * read-only medium.
 */
import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { rootTest, runWith } from "./binary_place.ts";

Deno.test(rootTest(
  ["unshare", "setpriv", "mount"],
  "the carried binary verifies as nobody, with an empty environment, no network, from a read-only medium",
  async ({ stella, home, key }) => {
    const medium = join(home.path, "medium");
    const kit = ["export", "bundle", "--profile", "kit", "--include-self"];
    await home.succeed([...kit, "--manifest", "medium/manifest.json"]);
    chmodSync(medium, 0o755);
    assert.ok(readFileSync(join(medium, "stella")).equals(readFileSync(stella)));
    const script = [
      "set -e",
      'mount --bind "$1" "$1"',
      'mount -o remount,bind,ro "$1"',
      '! touch "$1/written" 2>/dev/null',
      "cd /",
      'exec env -i "$2" --reuid=65534 --regid=65534 --clear-groups "$1/stella" verify "$1" --trust "$3" --json',
    ].join("\n");
    const words = [
      "--mount",
      "--net",
      "/bin/sh",
      "-c",
      script,
      "sh",
      medium,
      `${tool("setpriv")}`,
      key,
    ];
    const printed = runWith({ PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }, "unshare", words);
    assert.deepEqual([printed.code, printed.stderr], [0, ""], printed.stdout);
    const { verdict, signer } = JSON.parse(printed.stdout);
    assert.equal(verdict, "verified");
    assert.equal(signer.name, "signer");
  },
));
