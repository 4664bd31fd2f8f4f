/**
 * `deno task demo`: everything once, as a user does it, in a folder that is removed at the end
 * (`--keep` keeps folder and service). Every line that starts with `$` is a command that was really
 * run; the output below it is what it really printed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { Home, root, type Service } from "../support/program.ts";

const keep = Deno.args.includes("--keep");
const started = performance.now();
const home = new Home();

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function heading(text: string): void {
  say(`\n== ${text}`);
}

function indented(text: string): void {
  say(text.trimEnd().split("\n").map((line) => `  ${line}`).join("\n"));
}

async function stella(args: string, expected = 0): Promise<void> {
  say(`$ stella ${args}`);
  const ran = await home.stella(args.split(" "));
  indented(ran.stdout + ran.stderr);
  if (ran.code !== expected) throw new Error(`exit code ${ran.code}, expected ${expected}`);
  if (expected !== 0) say(`  (exit code ${ran.code}, as expected)`);
}

async function shell(tools: string[], command: string, cwd: string): Promise<void> {
  const absent = tools.filter((name) => tool(name) === undefined);
  if (absent.length > 0) {
    return say(`$ ${command}\n  (skipped: ${absent.join(", ")} is not installed)`);
  }
  say(`$ ${command}`);
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    cwd: join(home.path, cwd),
    // The directories that `tool` searched, whatever the caller's PATH.
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
  }).output();
  const text = new TextDecoder();
  const printed = (text.decode(stdout) + text.decode(stderr)).trimEnd().split("\n");
  indented(
    printed.length > 8
      ? [...printed.slice(0, 3), `... ${printed.length - 4} more`, printed.at(-1)].join("\n")
      : printed.join("\n"),
  );
  if (code !== 0) throw new Error(`exit code ${code}`);
}

const checkFiles =
  `jq -r '.files[] | "\\(.sha256)  \\(.path)"' manifest.json | sha256sum -c --strict`;

async function bundles(): Promise<void> {
  heading("Export the built-in kit and a sample of advisories, VEX and an SBOM");
  await stella("export bundle --profile kit --manifest out/manifest.json");
  await stella("export bundle --profile sample --input sample --manifest sample-out/manifest.json");
  heading("Check both with nothing but jq and sha256sum");
  await shell(["jq", "sha256sum"], checkFiles, "out");
  await shell(["jq", "sha256sum"], checkFiles, "sample-out");
  const unpack =
    "mkdir -p ../unpacked && tar --zstd -xf sample.tar.zst -C ../unpacked && cd ../unpacked && sha256sum -c --strict ../sample-out/SHA256SUMS";
  await shell(["tar", "zstd", "sha256sum"], unpack, "sample-out");
  heading("Verify with stella");
  await stella("export bundle verify --manifest out/manifest.json");
  await stella("verify sample-out");
  heading("Flip one byte of the archive: it is refused, with the place");
  flipByte(join(home.path, "sample-out/sample.tar.zst"));
  await stella("verify sample-out", 7);
}

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  Deno.writeFileSync(path, bytes);
  say(`(flipped one bit of byte ${bytes.length >> 1} of sample.tar.zst)`);
}

async function service(running: Service): Promise<void> {
  heading(`The service, at ${running.url}`);
  say(`$ curl -X POST ${running.url}/v1/exports -d '{"profile":"kit"}'`);
  const job = await running.export({ profile: "kit" });
  indented(JSON.stringify(job));
  if (job.state !== "succeeded") throw new Error("the export did not succeed");
  for (const path of ["/health/liveness", "/health/readiness", "/status"]) {
    say(`$ curl ${running.url}${path}`);
    indented(JSON.stringify(await running.get(path)));
  }
  say(
    `$ curl ${running.url}/metrics     (the six metrics that were asked for; histograms by their count)`,
  );
  const metrics: string = await running.get("/metrics");
  const asked =
    /^export_(job_duration_seconds_count|bundle_size_bytes_count|registry_push_latency_seconds_count|attestation_failures_total|queue_depth|manifest_publish_total)\b/;
  indented(metrics.split("\n").filter((line) => asked.test(line)).join("\n"));
}

heading("Which stella");
await stella("version");
await copySample();
await bundles();
const running = await home.serve();
try {
  await service(running);
} finally {
  if (!keep) await running.stop();
}
if (keep) {
  say(`\nStill running: ${running.url} (process ${running.child.pid}); files: ${home.path}`);
} else home.remove();
say(
  `\nDone in ${
    ((performance.now() - started) / 1000).toFixed(1)
  } s: everything above went as expected.`,
);
if (keep) running.child.unref();

async function copySample(): Promise<void> {
  for (const folder of ["advisories", "vex", "sbom"]) {
    const from = join(root, "tests/fixtures/sample", folder);
    Deno.mkdirSync(join(home.path, "sample", folder), { recursive: true });
    for (const { name } of Deno.readDirSync(from)) {
      await Deno.copyFile(join(from, name), join(home.path, "sample", folder, name));
    }
  }
}
