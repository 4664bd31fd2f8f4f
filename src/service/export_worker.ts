/** The worker of the service: this program again, running one export. */
import type { Clocks } from "../domain/time.ts";
import { assets } from "../assets/assets.ts";
import { keysInDirectory } from "../attest/check/trust.ts";
import { loadSigner } from "../attest/sign/keys.ts";
import { directorySource } from "../bundle/source.ts";
import { keyDirectory, machineKeyPath } from "../config/paths.ts";
import type { ExportEvent } from "../domain/export_event.ts";
import { type ExportContext, resolveExport } from "../export/spec.ts";
import { type ExportJob, exportToStore, type JobReport } from "../export/stored_export.ts";
import { answerJob } from "../jobs/worker_side.ts";
import { type Clock, timingOf } from "../net/retry.ts";
import type { UploadMemory, UploadSession } from "../registry/sessions.ts";
import { build } from "../domain/version.ts";
import { verifyBundle } from "../verify/verify.ts";
import { EventThrottle } from "./event_throttle.ts";

/** Messages of a worker to the service: events, and the state of its uploads, which is stored. */
export type WorkerEvent = ExportEvent | { kind: "upload"; key: string; session?: UploadSession };

export interface WorkerHost extends Clock, Pick<Clocks, "now"> {
  environment(name: string): string | undefined;
  uuid(): string;
}

export type JobRunner = (
  job: ExportJob,
  on: (event: WorkerEvent) => void,
  signal: AbortSignal,
) => Promise<JobReport>;

/** The whole worker: runs the one export that it is given. */
export function answerExports(runner: JobRunner, { elapsed }: Pick<WorkerHost, "elapsed">): void {
  answerJob<ExportJob, WorkerEvent, JobReport>((job, emit, signal) => {
    const throttle = new EventThrottle(emit, elapsed);
    return runner(job, (event) => throttle.emit(event), signal).finally(() => throttle.flush());
  });
}

/** Exports are signed with this machine's key and verified before they are stored. */
export function exportRunner(host: WorkerHost): JobRunner {
  return (job, on, signal) => {
    const { environment, now } = host;
    const options = { environment, now, build: build(), kitFiles: assets };
    const spec = resolveExport(job.request, options);
    const keys = {
      // The service creates the key, never a worker.
      signer: loadSigner(machineKeyPath(job.state)),
      verify: (directory: string) => faultOf(directory, keyDirectory(job.state), on),
    };
    const context: ExportContext = {
      uuid: () => host.uuid(),
      timing: timingOf(host),
      signal,
      yieldToEventLoop: () => yieldToEventLoop(signal),
      emit: on,
      uploads: uploadsOf(job, on),
    };
    return exportToStore(job, spec, keys, context);
  };
}

/** Lets messages of the service arrive, such as a cancellation. */
async function yieldToEventLoop(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  signal.throwIfAborted();
}

/** Unfinished uploads of earlier runs; each change is sent, so that the service can store it. */
export function uploadsOf(
  { uploads = [] }: Pick<ExportJob, "uploads">,
  emit: (event: WorkerEvent) => void,
): UploadMemory {
  const known = new Map<string, UploadSession>(uploads);
  return {
    get: (key) => known.get(key),
    set: (key, session) => {
      known.set(key, session);
      emit({ kind: "upload", key, session });
    },
    delete: (key) => {
      if (known.delete(key)) emit({ kind: "upload", key });
    },
  };
}

/** Why a verifier that trusts only this machine's keys would refuse the bundle, if it would. */
async function faultOf(
  directory: string,
  keys: string,
  emit: (event: ExportEvent) => void,
): Promise<string | undefined> {
  const trusted = keysInDirectory(keys);
  const progress = (done: number, total: number) =>
    emit({ kind: "progress", stage: "verify", done, total });
  const verdict = await verifyBundle(directorySource(directory), { trusted, progress });
  return verdict.ok ? undefined : verdict.findings[0]?.reason ?? "refused";
}
