/**
 * A directory of a source is exchanged for a link repeatedly during an export: nothing below the
 * link's target may be in a bundle. A few hundred exchanges; ten thousand and more with
 * STELLA_TEST_LONG.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { type ChunkPool, localPool } from "../../src/bundle/chunk_pool.ts";
import { PrivateFiles } from "../../src/bundle/private_files.ts";
import { chunkWorkers } from "../../src/cli/chunk_worker.ts";
import { planExport } from "../../src/export/plan.ts";
import { packWith } from "../../src/export/pack.ts";
import { isLong, requiring } from "../support/needs.ts";
import { writeFiles } from "../support/bundle_fixture.ts";
import { Exchanger, withExchanger } from "../support/exchanger.ts";
import { optionsFor } from "../support/run_export.ts";

/** Of each of the eight forms below. */
const wanted = isLong ? 1_500 : 30;
const mainUrl = new URL("../../main.ts", import.meta.url).href;
const workers = chunkWorkers({ mainUrl, stop: new AbortController().signal });

const names = ["credentials.json", "hmac.key", "signing.key"];
/** The same length everywhere, so that the size does not distinguish them. */
const contents = { own: "what is packed", foreign: "FOREIGN CONTENT", secret: "SECRET CONTENT!" };

/**
 * A source with the directory `d`, and the same names and times at the possible targets of the
 * link.
 */
function writePlaces(root: string): void {
  const files: Record<string, string> = {};
  for (const name of names) {
    files[`in/d/${name}`] = contents.own.padEnd(contents.secret.length);
    files[`foreign/${name}`] = contents.foreign;
    files[`state/keys/${name}`] = contents.secret;
  }
  for (const name of ["a/1", "a/2", "c/1", "z/1", "z/2"]) files[`in/${name}`] = contents.own;
  writeFiles(root, files);
  for (const path of Object.keys(files)) utimesSync(join(root, path), 1.7e9, 1.7e9);
}

interface Tally {
  exchanges: number;
  packed: number;
  refused: number;
}

/** One export up to its archive. */
async function packOnce(root: string, pool: ChunkPool, tally: Tally): Promise<void> {
  const directory = join(root, "out");
  mkdirSync(directory);
  const privateFiles = new PrivateFiles(
    { files: [], directories: [join(root, "state")] },
    Date.now,
  );
  try {
    const sources = [{ path: join(root, "in") }];
    const all = optionsFor(directory, [], { sources, privateFiles, compression: "none" });
    await packWith(pool, planExport(all), directory, all);
    const archive = readFileSync(join(directory, "p.tar"), "latin1");
    assert.doesNotMatch(archive, /SECRET|FOREIGN/);
    tally.packed++;
  } catch (error) {
    if (!(error instanceof StellaError)) throw error;
    tally.refused++;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function attack(root: string, args: readonly string[], pool: ChunkPool): Promise<Tally> {
  const tally = { exchanges: 0, packed: 0, refused: 0 };
  const [program = "", kind = "", target = ""] = args;
  // If the attacker was always too early or too late, the run proves nothing.
  for (let seed = 1; tally.exchanges < wanted || tally.refused === 0; seed++) {
    assert.ok(seed < 1_000, JSON.stringify(tally));
    rmSync(join(root, "aside"), { force: true });
    symlinkSync(join(root, target), join(root, "aside"));
    const [d, aside] = [join(root, "in/d"), join(root, "aside")];
    const watched = kind === "watched"
      ? ["a", "c", "d", "z"].map((one) => `${root}/in/${one}`)
      : [];
    const exchanger = await Exchanger.start(program, [
      ...[kind, d, aside, String(wanted), String(seed)],
      ...watched,
    ]);
    try {
      for (let run = 0; run < 40; run++) await packOnce(root, pool, tally);
    } finally {
      tally.exchanges += await exchanger.end();
    }
  }
  return tally;
}

Deno.test(requiring(
  ["cc"],
  "no file outside the source is packed when a directory is exchanged for a link",
  async (t) => {
    await withExchanger(async (program) => {
      // Not below /dev: workers may not read there.
      const root = mkdtempSync(join(tmpdir(), "stella-exchange-"));
      try {
        writePlaces(root);
        for (const form of ["here", "on workers"]) await allForms(t, root, program, form);
      } finally {
        rmSync(root, { recursive: true });
      }
    });
  },
));

async function allForms(
  t: Deno.TestContext,
  root: string,
  program: string,
  form: string,
): Promise<void> {
  const pool = form === "here" ? localPool : workers(true);
  // Without an attacker the export works.
  const quiet = { exchanges: 0, packed: 0, refused: 0 };
  await packOnce(root, pool, quiet);
  assert.equal(quiet.packed, 1);
  for (const kind of ["random", "watched"]) {
    for (const target of ["state/keys", "foreign"]) {
      await t.step(`${kind}, ${target}, read ${form}`, async () => {
        const tally = await attack(root, [program, kind, target], pool);
        const { exchanges, packed, refused } = tally;
        // deno-lint-ignore no-console -- the count of a long run is a figure to report
        if (isLong) console.log(`${exchanges} exchanges: ${packed} packed, ${refused} refused`);
      });
    }
  }
  pool.close();
}
