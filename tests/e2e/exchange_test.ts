/**
 * An attacker with write access to a source replaces a directory with a link to the keys, or a file
 * with a named pipe, during an export. No private key is ever in a bundle, and no export hangs.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { isLong, requiring, tool } from "../support/needs.ts";
import { Exchanger, withExchanger } from "../support/exchanger.ts";
import { Home } from "../support/program.ts";

const rounds = isLong ? 40 : 4;

interface Attacked {
  home: Home;
  exchange: string;
  /** In the source: exchanged for the link or the pipe `aside`. */
  d: string;
  aside: string;
  key: string;
}

/** A source whose directory `d` has files of the names that the keys have. */
async function attacked(work: (place: Attacked) => Promise<void>): Promise<void> {
  const home = new Home();
  const at = (path: string) => join(home.path, path);
  try {
    await home.succeed([
      "export",
      "bundle",
      "--profile",
      "kit",
      "--manifest",
      "first/manifest.json",
    ]);
    for (const folder of ["a", "d", "z"]) mkdirSync(at(`in/${folder}`), { recursive: true });
    for (const name of ["signing.key", "signing.pub"]) writeFileSync(at(`in/d/${name}`), "own");
    for (let i = 0; i < 20; i++) {
      writeFileSync(at(`in/a/${i}`), "a");
      writeFileSync(at(`in/z/${i}`), "z");
    }
    const key = readFileSync(join(home.state, "keys/signing.key"), "utf8");
    await withExchanger((exchange) =>
      work({ home, exchange, d: at("in/d"), aside: at("aside"), key })
    );
  } finally {
    home.remove();
  }
}

function between({ home, exchange, d, aside }: Attacked): Promise<Exchanger> {
  const [first, last] = [join(home.path, "in/a"), join(home.path, "in/z")];
  return Exchanger.start(exchange, ["between", d, aside, first, last]);
}

/** Of all files below a directory. */
function bytesBelow(directory: string): string {
  const names = existsSync(directory) ? readdirSync(directory, { recursive: true }) : [];
  return names.map((name) => join(directory, String(name)))
    .map((path) => Deno.statSync(path).isFile ? readFileSync(path, "latin1") : "").join("\n");
}

const secretLine = (key: string) => key.split("\n")[1]!;

Deno.test(requiring(
  ["cc"],
  "an export by the command packs no key when a directory is exchanged for a link to the keys",
  () =>
    attacked(async (place) => {
      const { home, aside, key } = place;
      Deno.symlinkSync(join(home.state, "keys"), aside);
      let exchanges = 0;
      const codes = new Set<number>();
      for (let round = 0; round < rounds; round++) {
        const exchanger = await between(place);
        const { code, stdout, stderr } = await home.stella([
          ...["export", "bundle", "--profile", "p", "--input", "in", "--compression", "none"],
          ...["--manifest", "out/manifest.json"],
        ]);
        exchanges += await exchanger.end();
        assert.ok([0, 2, 9, 12, 14].includes(code), stdout + stderr);
        codes.add(code);
        assert.ok(!bytesBelow(join(home.path, "out")).includes(secretLine(key)));
        rmSync(join(home.path, "out"), { recursive: true, force: true });
      }
      assert.ok(exchanges >= rounds, `${exchanges} exchanges`);
      assert.ok(codes.has(2) || codes.has(9) || codes.has(12) || codes.has(14), "it was seen");
    }),
));

Deno.test(requiring(
  ["cc"],
  "an export by the service packs no key when a directory is exchanged for a link to the keys",
  () =>
    attacked(async (place) => {
      const { home, aside, key } = place;
      Deno.symlinkSync(join(home.state, "keys"), aside);
      const source = join(home.path, "in");
      const profile = `{ kind: files, compression: none, sources: [{ files: ${source} }] }`;
      writeFileSync(join(home.state, "stella.yaml"), `version: 1\nprofiles:\n  p: ${profile}\n`);
      const service = await home.serve();
      try {
        let exchanges = 0;
        const states = new Set<string>();
        for (let round = 0; round < rounds; round++) {
          const exchanger = await between(place);
          states.add((await service.export({ profile: "p" })).state);
          exchanges += await exchanger.end();
          assert.ok(!bytesBelow(join(home.state, "store")).includes(secretLine(key)));
        }
        assert.ok(exchanges >= rounds, `${exchanges} exchanges`);
        assert.ok(states.has("failed"), [...states].join());
      } finally {
        await service.stop();
      }
    }),
));

Deno.test(requiring(
  ["cc", "mkfifo"],
  "an export does not hang when a file is exchanged for a named pipe",
  () =>
    attacked(async ({ home, exchange, d, aside }) => {
      assert.equal(spawnSync(tool("mkfifo")!, [aside]).status, 0);
      for (let round = 1; round <= rounds; round++) {
        const file = join(d, "signing.key");
        const args = ["random", file, aside, "100000", String(round)];
        const exchanger = await Exchanger.start(exchange, args);
        const { code, stdout, stderr } = await home.stella([
          ...["export", "bundle", "--profile", "p", "--input", "in"],
          ...["--manifest", "out/manifest.json"],
        ]);
        assert.ok(await exchanger.end() > 0);
        assert.ok([0, 2, 9, 12, 14].includes(code), stdout + stderr);
      }
    }),
));
