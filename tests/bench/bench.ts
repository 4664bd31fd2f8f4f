/**
 * `deno task bench`: the figures of src/docs/performance.md, each beside its peer and beside an
 * older stella, in turns (measure.ts). Prints a row as soon as it is measured, and writes all of
 * them to one JSON file. Ends with 1 if a row is slower than the older one.
 *
 *   --binary FILE   the stella to measure; default: dist/stella
 *   --base FILE     an older stella to measure beside it
 *   --dir PLACE     a tmpfs with 12 GiB free; inputs that are there are used again
 *   --disk PLACE    a folder on a disk, for the durable unpack, which a tmpfs cannot show
 *   --pairs N       turns of each row; default 15
 *   --only WORD     only the rows with this word in their name
 *   --out FILE      the result; default: dist/bench.json
 *   --quick         small inputs, to try the bench itself
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { advisories, largeFile, largeFiles, smallFiles } from "./data.ts";
import { liveness } from "./liveness.ts";
import { heading, Measurement, say, type Work } from "./measure.ts";
import { measureRegistry } from "./registry.ts";

const { values: given } = parseArgs({
  options: {
    binary: { type: "string", default: "dist/stella" },
    base: { type: "string" },
    dir: { type: "string" },
    disk: { type: "string" },
    pairs: { type: "string", default: "15" },
    only: { type: "string", default: "" },
    out: { type: "string", default: "dist/bench.json" },
    quick: { type: "boolean", default: false },
  },
});
const { quick } = given;
const place = resolve(given.dir ?? mkdtempSync(join(tmpdir(), "stella-bench-")));
const scratch = join(place, "scratch");
const bundles = join(place, "bundles");
const unpackedOnDisk = join(resolve(given.disk ?? place), "stella-bench-unpacked");
const base = given.base === undefined ? undefined : resolve(given.base);
const bench = new Measurement(resolve(given.binary), base, Number(given.pairs), place);
const key = join(bench.home.path, "key.pem");
const trust = ["--trust", `${key}.pub`];

function clear(path = scratch): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
}

function exporting(stella: string, input: string, out: string, ...more: string[]): string[] {
  const words = [stella, "export", "bundle", "--profile", "bench", "--input", input];
  return [...words, "--manifest", join(out, "manifest.json"), "--key", key, ...more];
}

/** A bundle to read, made by the older binary where there is one. */
function exported(name: string, input: string, ...more: string[]): string {
  const out = join(bundles, name);
  clear(out);
  bench.run(exporting(base ?? bench.binary, input, out, ...more));
  return out;
}

const shell = (command: string) => ["sh", "-ec", command];
const hashing = (words: string) => ({ name: "openssl dgst -sha256", words: shell(words) });

/** Each row makes its inputs when it is its turn, and takes them away again. */
const rows: [name: string, make: () => Omit<Work, "name">][] = [
  ["start: version", () => ({
    ours: (stella) => [stella, "version"],
    peer: { name: "empty deno run", words: [Deno.execPath(), "run", "--no-config", empty()] },
    goal: 1.5,
    repeat: 10,
    turns: 2,
  })],
  ["start: verify a small bundle", () => {
    const small = exported("tiny", smallFiles(place, 5));
    return {
      ours: (stella) => [stella, "verify", small, ...trust],
      peer: { name: "empty deno run", words: [Deno.execPath(), "run", "--no-config", empty()] },
      goal: 4,
      repeat: 5,
      turns: 2,
    };
  }],
  ["verify 1 GiB, directory of 64 files", () => {
    const out = exported("directory", large(), "--layout", "directory");
    return {
      ours: (stella) => [stella, "verify", out, ...trust],
      peer: hashing(`find ${large()} -type f -print0 | xargs -0 openssl dgst -sha256`),
      goal: 0.75,
    };
  }],
  ["verify 1 GiB, plain archive", () => {
    const out = exported("plain", large(), "--compression", "none");
    return {
      ours: (stella) => [stella, "verify", out, ...trust],
      peer: hashing(`openssl dgst -sha256 ${out}/bench.tar`),
      goal: 1.2,
    };
  }],
  ["verify advisories, zstd", () => {
    const out = exported("advisories", texts());
    return {
      ours: (stella) => [stella, "verify", out, ...trust],
      peer: { name: "zstd | tar -x, sha256sum -c", words: shell(unpacked(out)) },
      goal: 0.33,
      before: () => clear(),
    };
  }],
  ["verify 20,000 files of 2 kB, directory", () => {
    const out = exported("small", smallFiles(place, quick ? 500 : 20_000), "--layout", "directory");
    const check = `cd ${out}/payload && sha256sum -c --quiet --strict ../SHA256SUMS`;
    return {
      ours: (stella) => [stella, "verify", out, ...trust],
      peer: { name: "sha256sum -c", words: shell(check) },
      goal: 2.2,
    };
  }],
  ["export advisories, zstd, signed", () => ({
    ours: (stella) => exporting(stella, texts(), scratch),
    peer: {
      name: "tar | zstd -3 -T2, openssl over the files",
      words: shell(
        `tar -cf - -C ${texts()} . | zstd -3 -T2 -q >${scratch}/t.tar.zst
         find ${texts()} -type f -print0 | xargs -0 openssl dgst -sha256 >/dev/null
         openssl dgst -sha256 ${scratch}/t.tar.zst`,
      ),
    },
    goal: 1.5,
    before: () => clear(),
  })],
  ["export 1 GiB, plain, signed", () => ({
    ours: (stella) => exporting(stella, large(), scratch, "--compression", "none"),
    peer: {
      name: "tar, openssl over files and archive",
      words: shell(
        `tar -cf ${scratch}/t.tar -C ${large()} .
         find ${large()} ${scratch}/t.tar -type f -print0 | xargs -0 openssl dgst -sha256`,
      ),
    },
    goal: 0.8,
    before: () => clear(),
  })],
  ["unpack advisories", () => {
    const out = exported("advisories", texts());
    return {
      ours: (stella) => unpacking(stella, out, scratch),
      peer: { name: "zstd | tar -x, sha256sum -c", words: shell(unpacked(out)) },
      goal: 1.2,
      before: () => clear(),
    };
  }],
  ["unpack 4,291 files onto a disk, durable", () => {
    const out = exported("disk", smallFiles(place, quick ? 100 : 4_291));
    return {
      ours: (stella) => unpacking(stella, out, unpackedOnDisk),
      peer: {
        name: "tar -x, sync",
        words: shell(
          `zstd -dcq ${out}/bench.tar.zst | tar -xf - -C ${unpackedOnDisk}; sync -f ${unpackedOnDisk}`,
        ),
      },
      goal: 2,
      before: () => clear(unpackedOnDisk),
    };
  }],
];

const large = () => largeFiles(place, 64, quick ? 1 : 16);
/** 107,000 advisories. */
const texts = () => advisories(place, quick ? 16 : 480);
const unpacked = (out: string) =>
  `zstd -dcq ${out}/bench.tar.zst | tar -xf - -C ${scratch}
   cd ${scratch} && sha256sum -c --quiet --strict ${out}/SHA256SUMS`;
const unpacking = (
  stella: string,
  out: string,
  to: string,
) => [...[stella, "export", "bundle", "unpack", "--manifest", out], ...["--to", to, ...trust]];

function empty(): string {
  const path = join(place, "empty.js");
  writeFileSync(path, "");
  return path;
}

const isChosen = (name: string) => name.includes(given.only);
try {
  [scratch, bundles].forEach((path) => clear(path));
  bench.run([bench.binary, "keys", "generate", "--out", key]);
  say(`${bench.binary} beside ${base ?? "its peers only"}, ${given.pairs} turns\n\n${heading}`);
  for (const [name, make] of rows.filter(([name]) => isChosen(name))) {
    if (name.includes("onto a disk") && given.disk === undefined) {
      say(`| ${name} | not measured: needs --disk |`);
      continue;
    }
    bench.measure({ name, ...make() });
    clear(bundles);
  }
  await measureRegistry(bench, () => largeFile(place, quick ? 16 : 1024), isChosen);
  const live = isChosen("liveness") ? await liveness(bench, large()) : undefined;
  const memory = Math.max(...bench.rows.map(({ figures }) => figures.new?.memory ?? 0));
  say(`\nPeak memory ${memory} MiB, goal 200`);
  const out = resolve(given.out);
  const result = { binary: bench.binary, base, pairs: bench.pairs, rows: bench.rows, live, memory };
  writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
  say(`written to ${out}`);
} finally {
  bench.home.remove();
  const made = [scratch, bundles, unpackedOnDisk, ...given.dir === undefined ? [place] : []];
  for (const path of made) rmSync(path, { recursive: true, force: true });
}
Deno.exit(bench.rows.some(({ slower }) => slower) ? 1 : 0);
