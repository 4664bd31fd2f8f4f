/**
 * A finished bundle, published to all targets of its profile: one that fails keeps no other from
 * being tried.
 */
import { setTimeout } from "node:timers/promises";
import { realpathSync } from "node:fs";
import { messageOf, StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { EgressPolicy } from "../domain/egress.ts";
import type { Target } from "../config/profile.ts";
import { renderDirectory } from "../config/target_tenants.ts";
import type { EmitEvent, ExportJob } from "./job.ts";
import type { UploadMemory } from "../registry/sessions.ts";
import { isBusy, lstatIfThere } from "../output/recovery.ts";
import { isTransient } from "./transient.ts";
import { isPublished, publishDirectory } from "../output/publish.ts";
import { toRegistry } from "./registry_target.ts";
import type { ExportReport } from "./report.ts";

export interface Publishing {
  job: Pick<ExportJob, "exportId" | "tenant" | "profile" | "registries" | "uploads">;
  /** The directory of the finished bundle. */
  place: string;
  report: ExportReport;
  emit: EmitEvent;
  signal: AbortSignal;
  policy: EgressPolicy;
  /** It was published before: a directory that has it already is left alone. */
  isRepeated?: boolean;
  /** Where uploads are kept that were cut off; without it the events of `emit` tell of them. */
  memory?: UploadMemory;
}

/** Milliseconds between two looks at a directory that another export holds, and how many. */
const busyPause = 500;
const maxWaits = 1_200;

/** What became of one target. */
export interface TargetOutcome {
  target: Target;
  seconds: number;
  /** Why it failed. */
  failure?: { thrown: unknown };
}

/**
 * @throws StellaError that names every target that failed, and why; what `signal` was aborted with
 */
export async function publishTargets(publishing: Publishing): Promise<void> {
  const failure = targetsError(await tryTargets(publishing));
  if (failure !== undefined) throw failure;
}

/** @throws what `signal` was aborted with */
export async function tryTargets(publishing: Publishing): Promise<TargetOutcome[]> {
  const { job: { profile: { targets } }, signal } = publishing;
  const outcomes: TargetOutcome[] = [];
  for (const target of targets) {
    const started = performance.now();
    const seconds = () => Math.round(performance.now() - started) / 1000;
    try {
      if ("directory" in target) await toDirectory(publishing, target.directory);
      else await toRegistry({ ...publishing, target });
      outcomes.push({ target, seconds: seconds() });
    } catch (thrown) {
      // The others would only end in the same way.
      if (signal.aborted) throw thrown;
      outcomes.push({ target, seconds: seconds(), failure: { thrown } });
    }
  }
  return outcomes;
}

/**
 * One error for all that failed; undefined: none did. A job is tried again where that may help one
 * of them; see transient.ts.
 */
export function targetsError(outcomes: readonly TargetOutcome[]): unknown {
  const failures = outcomes.flatMap(({ target, failure }) =>
    failure === undefined ? [] : [{ target, thrown: failure.thrown }]
  );
  const count = outcomes.length;
  if (failures.length === 0) return undefined;
  const errors = failures.map(({ thrown }) => thrown);
  if (failures.length === 1) return errors[0];
  const known = errors.filter((one): one is StellaError => one instanceof StellaError);
  const defect = known.length < errors.length ? "internal" as const : undefined;
  const code = known.find(isTransient)?.code ?? defect ?? known[0]?.code ?? "internal";
  const named = failures.map(({ target, thrown }) => `${nameOf(target)}: ${messageOf(thrown)}`);
  const text = `Cannot publish to ${failures.length} of ${count} targets: ${named.join("; ")}`;
  const hints = [...new Set(known.flatMap(({ hint }) => hint ?? []))];
  return new StellaError(code, text, {
    cause: errors[0],
    findings: known.flatMap(({ findings }) => findings),
    ...(hints.length === 0 ? {} : { hint: hints.join("; ") }),
  });
}

/** The target as the configuration names it. */
export function nameOf(target: Target): string {
  return "directory" in target
    ? `directory ${shown(target.directory)}`
    : `registry ${target.registry}`;
}

async function toDirectory(publishing: Publishing, template: string): Promise<void> {
  const { job, place, report, emit: emit, signal } = publishing;
  const { exportId, tenant, profile: { name: profile } } = job;
  const directory = renderDirectory(template, tenant);
  const progress = () => emit({ kind: "progress", stage: "store", done: 0, total: 0 });
  const publish = () =>
    publishDirectory(place, directory, { exportId, tenant, profile }, report.files, progress);
  if (isThere(publishing, directory)) {
    return emit({ kind: "published", result: "skipped" });
  }
  try {
    await whileBusy(signal, publish);
    emit({ kind: "published", result: "success" });
  } catch (error) {
    const isTaken = error instanceof StellaError && error.code === "conflict";
    emit({ kind: "published", result: isTaken ? "conflict" : "error" });
    throw error;
  }
}

/**
 * Whether the bundle was made right there, or was published there before. A directory that cannot
 * be looked at has none: publishing into it says why.
 */
function isThere({ place, isRepeated }: Publishing, directory: string): boolean {
  try {
    if (lstatIfThere(directory) === undefined) return false;
    if (realpathSync(place) === realpathSync(directory)) return true;
    return isRepeated === true && isPublished(place, directory);
  } catch {
    return false;
  }
}

/**
 * Two exports of the service may end in one directory: the second waits for the first, for a while.
 */
async function whileBusy(signal: AbortSignal, publish: () => Promise<void>): Promise<void> {
  for (let waits = 0;; waits++) {
    try {
      return await publish();
    } catch (error) {
      if (!isBusy(error) || waits === maxWaits) throw error;
    }
    await setTimeout(busyPause, undefined, { signal });
  }
}
