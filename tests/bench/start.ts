/**
 * How long a start takes (README, One binary): `deno run -A tests/bench/start.ts [dist/stella]`. Every program runs in turn, so that a
 * busy moment of the machine meets all of them; the fastest of all turns counts, which is what is left without such moments.
 * Ends with 1 where a goal of the design is missed.
 */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { permissionFlags, unstableFlags } from "../../src/config/permissions.ts";

const turns = 25;
const binary = resolve(Deno.args[0] ?? "dist/stella");
const script = resolve("dist/stella.js");
const place = Deno.makeTempDirSync({ prefix: "stella-start-" });
const env = {
  PATH: "/usr/bin:/bin",
  HOME: place,
  STELLA_DATA: join(place, "state"),
  DENO_DIR: join(place, "deno"),
  OTEL_DENO: "false",
};
const manifest = join(place, "out/manifest.json");
const archive = join(place, "out/kit.tar.zst");

function once(words: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(words[0]!, words.slice(1), { env, cwd: place });
  if (status !== 0) throw new Error(`${words.join(" ")}: ${status} ${stderr}`);
  return performance.now() - started;
}

Deno.writeTextFileSync(join(place, "empty.js"), "");
once([binary, "export", "bundle", "--profile", "kit", "--manifest", manifest]);
once(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem"]);
once(["openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]);
once(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", archive, "-out", "sig"]);

const deno = [Deno.execPath(), "run", "--no-config", "--no-lock"];
const asScript = [...deno, "--cached-only", ...unstableFlags, ...permissionFlags(), script];
const openssl = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pub"];
const programs: Record<string, string[]> = {
  "empty deno run": [...deno, join(place, "empty.js")],
  "version, deno run dist/stella.js": [...asScript, "version"],
  "version, binary": [binary, "version"],
  "verify kit, deno run dist/stella.js": [...asScript, "verify", join(place, "out")],
  "verify kit, binary": [binary, "verify", join(place, "out")],
  "openssl verifies one signature": [...openssl, "-in", archive, "-sigfile", "sig"],
};

const best = Object.fromEntries(Object.keys(programs).map((name) => [name, Infinity]));
for (let turn = 0; turn < turns; turn++) {
  for (const [name, words] of Object.entries(programs)) {
    best[name] = Math.min(best[name]!, once(words));
  }
}
Deno.removeSync(place, { recursive: true });

const ratio = (a: string, b: string) => best[a]! / best[b]!;
const goals: [string, number, number][] = [
  ["version: binary to empty deno run", ratio("version, binary", "empty deno run"), 2.5],
  [
    "version: binary to deno run dist/stella.js",
    ratio("version, binary", "version, deno run dist/stella.js"),
    1.2,
  ],
];
const lines = Object.entries(best).map(([name, ms]) => `${ms.toFixed(0).padStart(6)} ms  ${name}`);
for (const [name, found, goal] of goals) {
  lines.push(
    `${found.toFixed(2).padStart(9)}  ${name} (goal ${goal}${found > goal ? ": MISSED" : ""})`,
  );
}
Deno.stdout.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
if (goals.some(([, found, goal]) => found > goal)) Deno.exit(1);
