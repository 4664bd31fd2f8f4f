/**
 * A service with the real queue, worker, server and signals, whose exports are made up: what one does follows from the name
 * of its profile. Tests start it as a process of its own, to kill it.
 */
import { appendFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { runServe } from "../../src/cli/serve.ts";
import { answerExports, type JobRunner } from "../../src/cli/work.ts";
import { StellaError } from "../../src/errors.ts";
import type { ExportJob } from "../../src/export/job.ts";
import type { ExportReport } from "../../src/export/report.ts";

/** Every start and end of an export, with its profile and id, for a test to count. */
function note(job: ExportJob, what: string): void {
  appendFileSync(join(job.state, "runs.log"), `${what} ${job.profile.name} ${job.exportId}\n`);
}

function report(job: ExportJob): ExportReport {
  const bundleDigest = createHash("sha256").update(job.profile.name).digest("hex");
  return {
    profile: job.profile.name,
    tenant: job.tenant,
    created: "2026-01-01T00:00:00Z",
    bundleDigest,
    keyid: "key",
    bundleBytes: 5_000_000,
    payload: { files: 1, bytes: 5_000_000 },
    files: ["manifest.json"],
  };
}

/** Half a second of a busy worker, in pieces as a real export has them. */
function hash(milliseconds: number): void {
  const chunk = new Uint8Array(4 * 1024 * 1024);
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    createHash("sha256").update(chunk).digest();
  }
}

const endless = () => new Promise<never>(() => {});

const runner: JobRunner = async (job, on, signal) => {
  note(job, "start");
  const name = job.profile.name;
  on({ kind: "progress", stage: "read", done: 0, total: 0 });
  if (name === "busy") hash(2_000);
  if (name === "slow") await new Promise((resolve) => setTimeout(resolve, 1_500));
  if (name === "hang") {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
  if (name === "fail") {
    throw new StellaError("unsafe", "Cannot pack \u001b[31mred", { hint: "rename it" });
  }
  if (name === "loud") throw new StellaError("unsafe", "x".repeat(90_000));
  if (name === "crash") setTimeout(() => Promise.reject(new Error("a bug")), 0);
  if (name === "crash") await endless();
  on({ kind: "progress", stage: "store", done: 0, total: 0 });
  on({ kind: "verified", result: "success" });
  on({ kind: "published", result: "success" });
  if (name === "push") on({ kind: "pushed", registry: "site", result: "timeout", seconds: 7 });
  signal.throwIfAborted();
  note(job, "end");
  return report(job);
};

if ("WorkerGlobalScope" in globalThis) answerExports(runner);
else if (import.meta.main) {
  const stop = new AbortController();
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  const host = {
    environment: (name: string) => Deno.env.get(name),
    stdout: () => {},
    stderr: () => {},
    stdin: () => Promise.resolve(null),
    columns: () => undefined,
    now: Date.now,
    uuid: () => crypto.randomUUID(),
    stop: stop.signal,
    mainUrl: import.meta.url,
  };
  const attestation = () => Promise.resolve({ ok: true, detail: "two envelopes judged" });
  try {
    const [listen = "127.0.0.1:0", opsListen] = Deno.args;
    const options = { listen, ...(opsListen === undefined ? {} : { opsListen }) };
    const result = await runServe(options, host, { attestation });
    Deno.exit(result.code);
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${(error as Error).message}\n`));
    Deno.exit(error instanceof StellaError ? error.exitCode : 1);
  }
}
