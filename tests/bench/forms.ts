/**
 * Compares the forms of the binary (src/docs/architecture.md): `deno run -A
 * tests/bench/forms.ts BINARY ...`. Start, speed and memory of each; every command runs in turn on
 * each binary, and the fastest of all turns counts.
 *
 * The last lines say what Deno itself takes: an empty program, and one that only imports the node:
 * modules that every verification needs. Ends with 1 where a goal of the design is missed. `chrt -f
 * 20 deno run ...`, as root, keeps other work of the machine out of the figures.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

const [starts, turns] = [15, 3];
const binaries = Deno.args.map((path) => resolve(path));
if (binaries.length === 0) throw new Error("Name the binaries to compare");
const place = Deno.makeTempDirSync({ prefix: "stella-forms-" });
const env = {
  PATH: "/usr/bin:/bin",
  HOME: place,
  STELLA_DATA: join(place, "state"),
  DENO_DIR: join(place, "deno"),
  OTEL_DENO: "false",
};

function milliseconds(words: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(words[0]!, words.slice(1), { env, cwd: place });
  if (status !== 0) throw new Error(`${words.join(" ")}: ${status} ${stderr}`);
  return performance.now() - started;
}

/** The most memory that a command ever held, in MiB: the kernel keeps it until the process ends. */
async function memory(words: readonly string[]): Promise<number> {
  const child = spawn(words[0]!, words.slice(1), { env, cwd: place, stdio: "ignore" });
  let peak = 0;
  const ended = new Promise<void>((done) => child.on("exit", () => done()));
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch { /* it has ended */ }
  }, 5);
  await ended;
  clearInterval(timer);
  return Math.round(peak / 1024);
}

/** The fastest turn of each command on each binary. */
function fastest(count: number, words: (binary: string) => string[]): number[] {
  const best = binaries.map(() => Infinity);
  for (let turn = 0; turn < count; turn++) {
    binaries.forEach((one, index) => {
      best[index] = Math.min(best[index]!, milliseconds(words(one)));
    });
  }
  return best;
}

function of(count: number, words: string[]): number {
  return Math.min(...Array.from({ length: count }, () => milliseconds(words)));
}

const first = binaries[0]!;
Deno.mkdirSync(join(place, "large"));
const block = crypto.getRandomValues(new Uint8Array(65_536));
for (const name of ["a", "b", "c", "d"]) {
  using file = Deno.createSync(join(place, "large", name));
  for (let at = 0; at < 128 * 16; at++) file.writeSync(block);
}
const kit = ["export", "bundle", "--profile", "kit", "--quiet", "--manifest"];
const large = ["export", "bundle", "--profile", "large", "--input", "large", "--quiet"];
const plain = ["--compression", "none", "--force", "--manifest", "plain/manifest.json"];
milliseconds([first, ...kit, "kit/manifest.json"]);
milliseconds([first, ...large, ...plain]);
Deno.writeTextFileSync(join(place, "empty.js"), "");
const modules = ["node:fs", "node:crypto", "node:zlib"].map((name) => `import "${name}";`);
Deno.writeTextFileSync(join(place, "modules.js"), modules.join("\n"));

const ms = (values: number[]) => values.map((value) => `${value.toFixed(0)} ms`);
const perSecond = (values: number[]) =>
  values.map((value) => `${(512_000 / value).toFixed(0)} MiB/s`);
const version = fastest(starts, (one) => [one, "version"]);
const verify = fastest(starts, (one) => [one, "verify", "kit"]);
const rows: [string, string[]][] = [
  ["size", binaries.map((one) => `${(statSync(one).size / 1e6).toFixed(1)} MB`)],
  ["version", ms(version)],
  ["verify a small bundle", ms(verify)],
  ["verify 512 MiB, plain", perSecond(fastest(turns, (one) => [one, "verify", "plain"]))],
  ["export 512 MiB, plain", perSecond(fastest(turns, (one) => [one, ...large, ...plain]))],
];
for (
  const [name, words] of [["small bundle", ["verify", "kit"]], ["512 MiB", [
    "verify",
    "plain",
  ]]] as const
) {
  const peaks: string[] = [];
  for (const one of binaries) peaks.push(`${await memory([one, ...words])} MiB`);
  rows.push([`memory, verify ${name}`, peaks]);
}
const deno = [Deno.execPath(), "run", "--no-config", "--no-lock", "--no-code-cache"];
const empty = of(starts, [...deno, "empty.js"]);
/** How many times an empty `deno run` a start may take. */
const goals: [string, number[], number][] = [["version", version, 2.5], ["verify", verify, 4]];
const isMissed = ([, found, goal]: typeof goals[number]) => found.some((one) => one / empty > goal);
const lines = [
  ["", ...binaries.map((one) => `${basename(dirname(one))}/${basename(one)}`)],
  ...rows.map(([name, values]) => [name, ...values]),
  ["empty deno run", ...ms([empty])],
  [modules.join(" ").replaceAll(/import |"|;/g, ""), ...ms([of(starts, [...deno, "modules.js"])])],
  ...goals.map((goal) => [
    `${goal[0]} to empty deno run, goal ${goal[2]}${isMissed(goal) ? ": MISSED" : ""}`,
    ...goal[1].map((one) => (one / empty).toFixed(1)),
  ]),
];
const text = lines.map(([name = "", ...values]) =>
  name.padEnd(46) + values.map((value) => value.padStart(16)).join("")
);
Deno.stdout.writeSync(new TextEncoder().encode(`${text.join("\n")}\n`));
Deno.removeSync(place, { recursive: true });
if (goals.some(isMissed)) Deno.exit(1);
