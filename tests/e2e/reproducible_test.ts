/** Two exports of the same inputs are byte-identical in any environment, attestation included. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { requiring } from "../support/needs.ts";
import { Home, programWords } from "../support/program.ts";

const names = [
  "a/x",
  "a-b",
  "a.c",
  "z",
  "é/ü.json",
  "\u{1f600}",
  "\ufb01",
  "dir/sub/file",
  "Run.sh",
];

/** Writes the inputs in the given order; the last one is executable. */
function writeInputs(folder: string, order: string[]): void {
  for (const name of order) {
    const path = join(folder, name.normalize("NFC"));
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    Deno.writeTextFileSync(path, `content of ${name}\n`.repeat(1000));
    Deno.chmodSync(path, name === "Run.sh" ? 0o750 : 0o600);
    Deno.utimeSync(path, 1_760_000_000, 1_760_000_000 + names.indexOf(name));
  }
}

function bytesOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).sort().map((
      name,
    ) => [name, readFileSync(join(folder, name)).toString("base64")]),
  );
}

Deno.test(requiring(
  ["sh"],
  "two exports are byte-identical under another TZ, LANG, umask, directory and order of creation",
  async () => {
    const home = new Home();
    try {
      const runs = [
        { folder: "one", order: names, env: { TZ: "UTC", LANG: "C" }, umask: "022" },
        {
          folder: "two/deeper",
          order: names.toReversed(),
          env: { TZ: "Pacific/Kiritimati", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" },
          umask: "077",
        },
      ];
      const results = [];
      for (const { folder, order, env, umask } of runs) {
        const place = join(home.path, folder);
        writeInputs(join(place, "in"), order);
        const command = [
          ...programWords(),
          "export",
          "bundle",
          "--profile",
          "p",
          "--input",
          "in",
          "--manifest",
          "out/manifest.json",
        ];
        const quoted = command.map((word) => `'${word}'`).join(" ");
        const ran = await new Deno.Command("sh", {
          args: ["-ec", `umask ${umask}; exec ${quoted}`],
          cwd: place,
          env: home.environment(env),
          clearEnv: true,
        }).output();
        assert.equal(ran.code, 0, new TextDecoder().decode(ran.stderr));
        results.push(bytesOf(join(place, "out")));
        const modes = [...Deno.readDirSync(join(place, "out"))].map((
          { name },
        ) => [name, Deno.statSync(join(place, "out", name)).mode! & 0o777]);
        for (const [name, mode] of modes) {
          assert.equal(
            mode,
            name === "verify.sh" ? 0o755 : 0o644,
            String(name),
          );
        }
      }
      assert.deepEqual(results[0], results[1]);
      assert.ok(Object.keys(results[0]!).length >= 6);
    } finally {
      home.remove();
    }
  },
));
