/** The worker of the service: this module is the program again, started to do one export. */
import { loadSigner } from "../attest/sign/keys.ts";
import { keysInDirectory } from "../attest/check/trust.ts";
import { directorySource } from "../bundle/source.ts";
import { keyDirectory } from "../config/paths.ts";
import { type ExportJob, type JobEvent, runJob } from "../export/job.ts";
import type { ExportReport } from "../export/report.ts";
import { answerJob } from "../jobs/worker_side.ts";
import type { ExportEvent } from "../telemetry/export_events.ts";
import { verifyBundle } from "../verify/verify.ts";
import { machineKeyPath, recipeOf } from "./recipe.ts";
import { Seldom } from "./seldom.ts";

/** What a worker says to the service: what is watched, and uploads, which are kept. */
export type WorkerEvent = ExportEvent | Extract<JobEvent, { kind: "upload" }>;

export type JobRunner = (
  job: ExportJob,
  on: (event: WorkerEvent) => void,
  signal: AbortSignal,
) => Promise<ExportReport>;

/** The whole of a worker: does the one export it is told to do. */
export function answerExports(runner: JobRunner): void {
  answerJob<ExportJob, WorkerEvent, ExportReport>((job, emit, signal) => {
    const seldom = new Seldom(emit);
    return runner(job, (event) => seldom.tell(event), signal).finally(() => seldom.flush());
  });
}

export function work(): void {
  answerExports(runExport);
}

/** Signed by this machine's key, and judged before it is stored. */
export const runExport: JobRunner = (job, on, signal) => {
  // Made by the service where it has to be, never by one of its workers.
  const signer = loadSigner(machineKeyPath(job.state));
  const parts = {
    ...recipeOf(job.profile, (name) => Deno.env.get(name)),
    signer,
    uuid: () => crypto.randomUUID(),
    yieldToEventLoop: () => breathe(signal),
    verify: (directory: string) => reasonAgainst(directory, keyDirectory(job.state), on),
  };
  return runJob(job, parts, on, signal);
};

/** A turn for the messages of the service, such as the one to cancel. */
async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal.throwIfAborted();
}

/** Why the bundle would be refused by somebody who trusts this machine's keys alone; undefined: it would not. */
async function reasonAgainst(
  directory: string,
  keys: string,
  on: (event: ExportEvent) => void,
): Promise<string | undefined> {
  const trusted = keysInDirectory(keys);
  const progress = (done: number, total: number) =>
    on({ kind: "progress", stage: "verify", done, total });
  const verdict = await verifyBundle(directorySource(directory), { trusted, progress });
  return verdict.ok ? undefined : verdict.findings[0]?.reason ?? "refused";
}
