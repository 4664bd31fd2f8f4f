/** The binary where there is next to nothing: another user, no environment, no network, read-only media. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testWith } from "../needs.ts";
import { binary, Home } from "../program.ts";

const usable = binary !== undefined && Deno.uid() === 0;

if (usable) {
  testWith(
    ["unshare", "setpriv"],
    "the binary verifies as nobody, with an empty environment, no network, from a read-only directory",
    async () => {
      const home = new Home();
      try {
        await home.succeed([
          "export",
          "bundle",
          "--profile",
          "kit",
          "--manifest",
          "out/manifest.json",
        ]);
        Deno.copyFileSync(join(home.state, "keys/signing.pub"), join(home.path, "signer.pub"));
        Deno.chmodSync(home.path, 0o755);
        Deno.chmodSync(join(home.path, "out"), 0o555);
        const verify = [
          "verify",
          join(home.path, "out"),
          "--trust",
          join(home.path, "signer.pub"),
          "--json",
        ];
        const ran = await new Deno.Command("unshare", {
          args: [
            "-n",
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            binary!,
            ...verify,
          ],
          clearEnv: true,
          cwd: "/",
        }).output();
        const text = new TextDecoder();
        assert.equal(ran.code, 0, text.decode(ran.stdout) + text.decode(ran.stderr));
        assert.equal(JSON.parse(text.decode(ran.stdout)).verdict, "verified");
      } finally {
        Deno.chmodSync(join(home.path, "out"), 0o755);
        home.remove();
      }
    },
  );
}
