/** `stella keys`: the key that is stored is the key that is shown, and file names are escaped. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readPublicKey } from "../../src/attest/check/trust.ts";
import { trustKey } from "../../src/cli/keys.ts";
import { testKey, withDirectory } from "../support/bundle_fixture.ts";
import { Home } from "../support/program.ts";
import { host as quiet } from "../support/quiet_host.ts";

Deno.test("keys trust stores the key that it shows, even if the file is replaced meanwhile", async () => {
  await withDirectory(async (root) => {
    const [a, b, path] = ["a.pub", "b.pub", "k.pub"].map((name) => join(root, name));
    writeFileSync(a!, testKey("a").publicPem);
    writeFileSync(b!, testKey("b").publicPem);
    writeFileSync(path!, testKey("a").publicPem);
    const kept = join(root, "stella/trust.d/k.pub");
    const environment = (name: string) => name === "XDG_CONFIG_HOME" ? root : undefined;
    const host = { ...quiet, environment };
    const swapper = new Worker(new URL("key_swapper.ts", import.meta.url), { type: "module" });
    const begun = new Promise((resolve) => swapper.onmessage = resolve);
    swapper.postMessage([a, b, path]);
    await begun;
    try {
      const seen = new Set<string>();
      for (let i = 0; i < 1_000; i++) {
        const { json } = await trustKey(path!, host);
        const { keyid } = json as { keyid: string };
        seen.add(keyid);
        assert.equal(readPublicKey(kept).keyid, keyid, `try ${i}`);
        rmSync(kept);
      }
      assert.equal(seen.size, 2, "the file was never exchanged");
    } finally {
      swapper.terminate();
    }
  });
});

Deno.test("every command escapes the names of key files in its output", async () => {
  const home = new Home();
  try {
    const name = "k\u001b]0;title\u0007\u202e";
    writeFileSync(join(home.path, `${name}.pub`), testKey("k").publicPem);
    const env = { XDG_CONFIG_HOME: join(home.path, "config") };
    const shows = async (args: string[]) => {
      const { code, stdout, stderr } = await home.stella(args, { env });
      assert.equal(code, 0, stderr);
      // deno-lint-ignore no-control-regex -- these must not reach a terminal
      assert.doesNotMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f\u202e]/, args.join());
      assert.match(stdout, /\\u\{1b\}/, args.join());
    };
    await shows(["keys", "trust", `${name}.pub`]);
    await shows(["keys", "show"]);
    await shows(["keys", "generate", "--out", `${name}1.key`]);
    await shows(["keys", "generate", "--algorithm", "hmac", "--out", `${name}2.key`]);
    const kept = join(home.path, "config/stella/trust.d");
    assert.deepEqual(readdirSync(kept), [`${name}.pub`]);
    assert.equal(readFileSync(join(kept, `${name}.pub`), "utf8"), testKey("k").publicPem);
  } finally {
    home.remove();
  }
});

Deno.test("a trusted key is stored without the text around it", async () => {
  const home = new Home();
  try {
    mkdirSync(join(home.path, "config"));
    writeFileSync(join(home.path, "k.pub"), `\n  ${testKey("k").publicPem}\n\n`);
    const env = { XDG_CONFIG_HOME: join(home.path, "config") };
    await home.succeed(["keys", "trust", "k.pub"], { env });
    const kept = join(home.path, "config/stella/trust.d/k.pub");
    assert.equal(readFileSync(kept, "utf8"), testKey("k").publicPem);
    await home.succeed(["keys", "trust", "k.pub"], { env });
  } finally {
    home.remove();
  }
});
