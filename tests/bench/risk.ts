/**
 * A risk bundle with 200,000 generated EPSS rows, the whole program from its source: `deno run -A
 * tests/bench/risk.ts [rows]`. Prints time and peak memory, and ends with 1 where the memory is
 * above 200 MiB or a second bundle differs. Real KEV and OSV data beside the checkout
 * (../shared/data) goes in as well.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, programWords, root } from "../support/program.ts";

const rows = Number(Deno.args[0] ?? 200_000);
const max = 200 * 1024;
const data = join(root, "../shared/data");
const home = new Home();

function epss(): string {
  // Always the same numbers, in no order: a linear congruential generator (Numerical Recipes).
  let state = 1;
  const random = () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const lines = Array.from({ length: rows }, (_, i) => {
    const id = `CVE-${2000 + i % 20}-${1000 + Math.floor(i / 20)}`;
    return `${id},${random().toFixed(5)},${random().toFixed(5)}`;
  });
  return ["#score_date:2026-01-05T12:55:00Z", "cve,epss,percentile", ...lines, ""].join("\n");
}

function configuration(): string {
  const epssFile = join(home.path, "epss.csv");
  writeFileSync(epssFile, epss());
  const given = [
    ["epss", epssFile],
    ["kev", join(data, "kev/known_exploited_vulnerabilities.json")],
    ["osv", join(data, "osv-go")],
  ].filter(([, path]) => existsSync(path!));
  const providers = given.map(([kind, path]) => `{ kind: ${kind}, path: ${path} }`).join(", ");
  const path = join(home.path, "stella.yaml");
  const text = `version: 1\nprofiles: { risk: { kind: risk, providers: [${providers}] } }\n`;
  writeFileSync(path, text);
  return path;
}

interface Figures {
  seconds: number;
  kib: number;
  digest: string;
}

/**
 * /proc says the peak of a process while it lives: it is looked at often, and the last look counts.
 */
async function measured(config: string, out: string): Promise<Figures> {
  const [command, ...words] = programWords();
  const manifest = join(home.path, out, "manifest.json");
  const asked = ["export", "bundle", "--profile", "risk", "--config", config, "--json"];
  const started = performance.now();
  const child = new Deno.Command(command, {
    args: [...words, ...asked, "--manifest", manifest],
    env: home.environment(),
    clearEnv: true,
    stdout: "piped",
  }).spawn();
  let kib = 0;
  const look = setInterval(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      kib = Math.max(kib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch { /* it has ended */ }
  }, 5);
  const { stdout } = await child.output();
  clearInterval(look);
  const seconds = (performance.now() - started) / 1000;
  const text = new TextDecoder().decode(stdout);
  const { bundle } = JSON.parse(text);
  if (bundle === undefined) throw new Error(text);
  return { seconds, kib, digest: bundle.bundleDigest };
}

try {
  const config = configuration();
  const first = await measured(config, "first");
  const second = await measured(config, "second");
  const same = first.digest === second.digest;
  const peak = Math.max(first.kib, second.kib);
  const seconds = Math.min(first.seconds, second.seconds).toFixed(1);
  const line = `${rows} EPSS rows: ${seconds} s, ${(peak / 1024).toFixed(0)} MiB, ` +
    `${same ? "twice the same bundle" : "TWO DIFFERENT BUNDLES"}\n`;
  await Deno.stdout.write(new TextEncoder().encode(line));
  if (!same || peak > max) Deno.exitCode = 1;
} finally {
  home.remove();
}
