/**
 * `deno run -A tests/bench/registry.ts [--binary dist/stella] [--dir PLACE] [--mebibytes N]
 * [--turns N] [--plain-http]`: push, pull and verification in place beside skopeo, in turns against
 * one docker-registry with TLS; the fastest of each counts. Both move the very same blobs. PLACE
 * should be a tmpfs with room for five times the size.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { tool } from "../support/needs.ts";
import { Home, programWords } from "../support/program.ts";
import { Authority } from "../support/registry/authority.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import { largeFile } from "./data.ts";

const option = (name: string) => {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
};
// What the registry keeps has to lie on the tmpfs too.
Deno.env.set("TMPDIR", resolve(option("--dir") ?? tmpdir()));
const place = mkdtempSync(join(tmpdir(), "stella-registry-bench-"));
const mebibytes = Number(option("--mebibytes") ?? 1024);
const turns = Number(option("--turns") ?? 3);
const plain = Deno.args.includes("--plain-http");
const binary = option("--binary");
const stella = binary === undefined ? programWords() : [resolve(binary)];
const home = new Home();
const authority = new Authority();

interface Ran {
  seconds: number;
  /** MiB at its peak. */
  memory: number;
  /** Seconds of both cores: what a busy machine makes longer least. */
  cpu: number;
}

/** Runs under GNU time, which knows the peak of memory. */
function timed(words: readonly string[]): Ran {
  const report = join(home.path, "time");
  const format = ["-f", "%e %M %U %S", "-o", report];
  const { status, stderr } = spawnSync("/usr/bin/time", [...format, ...words], {
    cwd: place,
    env: home.environment(),
  });
  if (status !== 0) throw new Error(`${words.join(" ")}: ${status}\n${stderr}`);
  const figures = readFileSync(report, "utf8").trim().split(/\s+/).map(Number);
  const [seconds, kibibytes, user, system] = figures as [number, number, number, number];
  return { seconds, memory: Math.round(kibibytes / 1024), cpu: user + system };
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

type Words = (host: string) => string[];

/** Both in turn, with the registry at `host`, or each time with a new one. */
async function compare(work: string, ours: Words, theirs: Words, host?: string): Promise<void> {
  const [mine, other]: [Ran[], Ran[]] = [[], []];
  for (let turn = 0; turn < turns; turn++) {
    for (const [runs, words] of [[mine, ours], [other, theirs]] as const) {
      clear();
      const run = (host: string) => void runs.push(timed(words(host)));
      if (host === undefined) await withRegistry(run);
      else run(host);
    }
  }
  const best = (runs: Ran[]) => Math.min(...runs.map(({ seconds }) => seconds));
  const all = [mine, other].map((runs) => runs.map(({ seconds }) => seconds).join(" ")).join(" / ");
  const ratio = (best(mine) / best(other)).toFixed(2);
  say(`| ${work} | ${column(mine)} | ${column(other)} | ${ratio} | ${all} |`);
}

function column(runs: Ran[]): string {
  const least = (of: "seconds" | "cpu") => Math.min(...runs.map((ran) => ran[of]));
  const memory = Math.max(...runs.map((ran) => ran.memory));
  return `${least("seconds").toFixed(2)} s, CPU ${least("cpu").toFixed(1)} s, ${memory} MiB`;
}

/**
 * skopeo remembers what a registry has, and the registry too: so each push has one of its own, on a
 * port of its own.
 */
function withRegistry(body: (host: string) => void | Promise<void>): Promise<void> {
  const serve = ({ host }: { host: string }) => Promise.resolve(body(host));
  return withDockerRegistry(serve, plain ? {} : { http: tls() });
}

function tls(): string {
  const { key, cert } = authority.issue("IP:127.0.0.1", 2);
  const write = (name: string, text: string) => {
    writeFileSync(join(place, name), text);
    return JSON.stringify(join(place, name));
  };
  return `, tls: {certificate: ${write("r.pem", cert)}, key: ${write("r.key", key)}}`;
}

const bundle = ["export", "bundle"];
const out = join(place, "out");
/** The blobs of the bundle as skopeo keeps them. */
const kept = join(place, "kept");
const [pulled, copied, certificates] = ["pulled", "copied", "certs"].map((name) =>
  join(place, name)
);
const clear = () =>
  [pulled, copied].forEach((path) => rmSync(path!, { recursive: true, force: true }));
const ca = plain ? [] : ["--ca", authority.path];
const skopeo = [tool("skopeo")!, "copy", "--quiet", "--insecure-policy"];
const trusting = (side: "src" | "dest") =>
  plain ? [`--${side}-tls-verify=false`] : [`--${side}-cert-dir`, certificates!];

const at = (host: string) => `oci://${host}/bench/bundle:v1`;
const image = (host: string) => `docker://${host}/bench/bundle:v1`;
const push: Words = (host) => [
  ...[...stella, ...bundle, "push", "--manifest", out, at(host), "--quiet", ...ca],
];
const pull: Words = (host) => [
  ...[...stella, ...bundle, "pull", at(host), "--to", pulled!, "--quiet", ...ca],
];
const verify: Words = (host) => [...stella, "verify", at(host), "--quiet", ...ca];
const copyIn: Words = (host) => [...skopeo, ...trusting("dest"), `dir:${kept}`, image(host)];
const copyOut: Words = (host) => [...skopeo, ...trusting("src"), image(host), `dir:${copied}`];

try {
  mkdirSync(certificates!);
  writeFileSync(join(certificates!, "ca.crt"), readFileSync(authority.path));
  const input = largeFile(tmpdir(), mebibytes);
  timed([
    ...[...stella, ...bundle, "--profile", "bench", "--compression", "none"],
    ...["--input", input, "--manifest", join(out, "manifest.json")],
  ]);
  await withRegistry((host) => {
    timed(push(host));
    timed(copyOut(host));
  });
  renameSync(copied!, kept);
  say(`${mebibytes} MiB, ${plain ? "plain http" : "TLS"}, best of ${turns}`);
  say("| work | stella | skopeo | ratio | seconds of all turns |\n| --- | --- | --- | --- | --- |");
  await compare("push", push, copyIn);
  await withRegistry(async (host) => {
    // Not by skopeo, which leaves the attestation behind.
    timed(push(host));
    await compare("pull", pull, copyOut, host);
    await compare("verify in place, beside a copy", verify, copyOut, host);
  });
} finally {
  home.remove();
  authority.remove();
  rmSync(place, { recursive: true, force: true });
}
