/**
 * A service with the real queue, worker, server and signals, whose exports are made up: what one
 * does follows from the name of its profile. Tests start it as a process of its own, to kill it.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { machineKey } from "../../src/attest/sign/keys.ts";
import { runServe } from "../../src/cli/serve.ts";
import { machineKeyPath } from "../../src/config/paths.ts";
import { StellaError } from "../../src/domain/errors.ts";
import type { ExportReport } from "../../src/export/report.ts";
import type { ExportJob } from "../../src/export/stored_export.ts";
import { answerExports, exportRunner, type JobRunner } from "../../src/service/export_worker.ts";

/** Milliseconds that an export waits for a test which has failed. */
const longest = 120_000;

/** Every start and end of an export, with its profile and id, for a test to count. */
function note(job: ExportJob, what: string): void {
  appendFileSync(
    join(job.state, "runs.log"),
    `${what} ${job.request.profile.name} ${job.exportId}\n`,
  );
}

function report(job: ExportJob): ExportReport {
  const bundleDigest = createHash("sha256").update(job.request.profile.name).digest("hex");
  return {
    profile: job.request.profile.name,
    tenant: job.request.tenant,
    created: "2026-01-01T00:00:00Z",
    bundleDigest,
    keyid: "key",
    bundleBytes: 5_000_000,
    emptyDirectories: { count: 0, paths: [] },
    payload: { files: 1, bytes: 5_000_000 },
    files: ["manifest.json"],
  };
}

/** A busy worker, in pieces as a real export has them, until it is so, or two minutes have gone. */
function hash(isSo: () => boolean): void {
  const chunk = new Uint8Array(4 * 1024 * 1024);
  for (const end = performance.now() + longest; !isSo() && performance.now() < end;) {
    createHash("sha256").update(chunk).digest();
  }
}

/** Fails where this worker may not use the network. */
function dial(): void {
  Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
}

/** Whether exports continue. */
const isOpen = (job: ExportJob) => () => existsSync(join(job.state, "go"));

const endless = () => new Promise<never>(() => {});

/** Until it is so, or two minutes have gone; the worker does not hear anything then. */
function standStill(isSo: () => boolean): void {
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (const end = performance.now() + longest; !isSo() && performance.now() < end;) {
    Atomics.wait(nobody, 0, 0, 10);
  }
}

const world = {
  environment: (name: string) => Deno.env.get(name),
  now: Date.now,
  elapsed: () => performance.now(),
  uuid: () => crypto.randomUUID(),
  random: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
};
const runExport = exportRunner(world);

/** A real export that pauses when it first reports `stage`, until the file `go` exists. */
const held = (stage: string): JobRunner => (job, on, signal) => {
  let isDone = false;
  return runExport(job, (event) => {
    on(event);
    if (isDone || (event.kind === "progress" ? event.stage : event.kind) !== stage) return;
    isDone = true;
    note(job, "hold");
    standStill(isOpen(job));
  }, signal);
};

const runner: JobRunner = async (job, on, signal) => {
  note(job, "start");
  const name = job.request.profile.name;
  if (name.startsWith("at-")) {
    const report = await held(name.slice(3))(job, on, signal);
    note(job, "end");
    return report;
  }
  on({ kind: "progress", stage: "read", done: 0, total: 0 });
  if (name === "busy") hash(isOpen(job));
  if (name === "gated") {
    // The gate is a file of the test's, which this worker may not watch.
    for (const end = performance.now() + longest; !isOpen(job)() && performance.now() < end;) {
      await new Promise((done) => setTimeout(done, 10));
    }
  }
  if (name === "hang") {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }
  if (name === "fail") {
    throw new StellaError("unsafe_entry", "Cannot pack \u001b[31mred", { hint: "rename it" });
  }
  if (name === "dial" || name === "site") dial();
  // One log line each: more than a pipe buffers.
  for (let n = name === "loud" ? 600 : 0; n > 0; n--) on({ kind: "published", result: "success" });
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

/** What a test changes of the service. */
export interface Parts {
  /** A file with the milliseconds by which the clock is wrong; read at each look. */
  clock?: string;
  drain?: number;
  lease?: number;
}

function offset(path: string): number {
  return Number(readFileSync(path, "utf8"));
}

if ("WorkerGlobalScope" in globalThis) answerExports(runner, world);
else if (import.meta.main) {
  const stop = new AbortController();
  // As main.ts does it.
  Deno.addSignalListener("SIGTERM", () => stop.signal.aborted ? Deno.exit(130) : stop.abort());
  const [listen = "127.0.0.1:0", opsListen = "", more = "{}"] = Deno.args;
  const { clock, ...parts } = JSON.parse(more) as Parts;
  const host = {
    ...world,
    stdout: () => {},
    stderr: () => {},
    stdin: () => Promise.resolve(null),
    writeLog: (bytes: Uint8Array) => Deno.stderr.write(bytes),
    columns: () => undefined,
    isTerminal: () => false,
    now: clock === undefined ? Date.now : () => Date.now() + offset(clock),
    stop: stop.signal,
    onHangUp: (renew: () => void) => Deno.addSignalListener("SIGHUP", renew),
    mainUrl: import.meta.url,
  };
  const attestation = () => Promise.resolve({ ok: true, detail: "two envelopes verified" });
  try {
    const options = {
      ...(listen === "" ? {} : { listen }),
      ...(opsListen === "" ? {} : { opsListen }),
    };
    const signingKey = machineKey(machineKeyPath(Deno.env.get("STELLA_DATA")!));
    const result = await runServe(options, host, { attestation, signingKey, ...parts });
    Deno.exit(result.code ?? 0);
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${(error as Error).message}\n`));
    Deno.exit(error instanceof StellaError ? error.exitCode : 1);
  }
}
