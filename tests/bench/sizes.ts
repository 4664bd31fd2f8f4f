/**
 * `deno run -A tests/bench/sizes.ts --dir PLACE [--binary dist/stella] [--quick] [--only TEXT]`:
 * peak memory of export, verify and unpack over what is large in each direction: one sparse file of
 * 8 GiB, 2 GiB of generated advisories, a million files of a few bytes (a tenth of it all with
 * --quick), or of the rows whose name holds TEXT. The promise is 200 MiB. PLACE needs 16 GiB;
 * inputs that are there are used again; not below /dev.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Home, programWords } from "../support/program.ts";
import { advisories } from "./data.ts";

const promise = 200;

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

/** Made again until it is whole: the mark beside it says so. */
function once(folder: string, fill: () => void): string {
  const mark = `${folder}.whole`;
  try {
    readFileSync(mark);
  } catch {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    fill();
    writeFileSync(mark, "");
  }
  return folder;
}

function sparse(place: string, bytes: number): string {
  const folder = join(place, `sparse-${bytes}`);
  return once(folder, () => {
    const path = join(folder, "sparse.bin");
    writeFileSync(path, "");
    truncateSync(path, bytes);
  });
}

/** `count` files of a few bytes, a thousand to a directory. */
function manyFiles(place: string, count: number): string {
  const folder = join(place, `many-${count}`);
  return once(folder, () => {
    for (let i = 0; i < count; i++) {
      const below = join(folder, String(Math.floor(i / 1000)).padStart(4, "0"));
      if (i % 1000 === 0) mkdirSync(below);
      writeFileSync(join(below, `${i}.json`), `{"n":${i}}\n`);
    }
  });
}

const place = resolve(option("--dir") ?? Deno.makeTempDirSync({ prefix: "stella-sizes-" }));
const part = Deno.args.includes("--quick") ? 0.1 : 1;
const binary = option("--binary");
const words = binary === undefined ? programWords() : [resolve(binary)];
const home = new Home();
const report = join(home.path, "time");

function say(...columns: string[]): void {
  const text = columns.map((column, i) => i === 0 ? column.padEnd(44) : column.padStart(10));
  Deno.stdout.writeSync(new TextEncoder().encode(`${text.join("")}\n`));
}

/** Runs the program under GNU time, which knows the peak. @returns whether the promise was kept */
function measure(name: string, args: string[]): boolean {
  const { status, stderr } = spawnSync("/usr/bin/time", [
    ...["-f", "%e %M", "-o", report],
    ...[...words, ...args, "--quiet"],
  ], { cwd: place, env: home.environment() });
  if (status !== 0) throw new Error(`${args.join(" ")}: ${status}\n${stderr}`);
  const [seconds, kibibytes] = readFileSync(report, "utf8").trim().split(/\s+/).map(Number);
  const mebibytes = Math.ceil(kibibytes! / 1024);
  say(name, `${mebibytes} MiB`, `${seconds!.toFixed(1)} s`, mebibytes > promise ? "TOO MUCH" : "");
  return mebibytes <= promise;
}

function row(name: string, input: string, options: string[] = []): boolean {
  const out = join(place, "out");
  const manifest = join(out, "manifest.json");
  const to = join(place, "unpacked");
  rmSync(out, { recursive: true, force: true });
  const args = ["export", "bundle", "--profile", "p", "--input", input, "--manifest", manifest];
  const kept = [
    measure(`export ${name}`, [...args, ...options]),
    measure(`verify ${name}`, ["export", "bundle", "verify", "--manifest", manifest]),
  ];
  rmSync(to, { recursive: true, force: true });
  kept.push(
    measure(`unpack ${name}`, ["export", "bundle", "unpack", "--manifest", manifest, "--to", to]),
  );
  rmSync(to, { recursive: true, force: true });
  rmSync(out, { recursive: true, force: true });
  return !kept.includes(false);
}

try {
  mkdirSync(place, { recursive: true });
  const mebibytes = Math.round(2048 * part);
  const count = Math.round(1e6 * part);
  const texts = advisories(place, mebibytes);
  const large = sparse(place, Math.round(8 * 2 ** 30 * part));
  const many = manyFiles(place, count);
  const plain = ["--compression", "none"];
  const rows: [string, string, string[]?][] = [
    [`${mebibytes} MiB of advisories`, texts],
    [`${mebibytes} MiB of advisories, plain`, texts, plain],
    [`a sparse file of ${8 * part} GiB`, large],
    [`a sparse file of ${8 * part} GiB, plain`, large, plain],
    [`${count} files`, many],
    [`${count} files, directory`, many, ["--layout", "directory"]],
  ];
  const kept = rows.filter(([name]) => name.includes(option("--only") ?? "")).map((it) =>
    row(...it)
  );
  Deno.exitCode = kept.includes(false) ? 1 : 0;
} finally {
  home.remove();
}
