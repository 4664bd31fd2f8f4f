/** Publishes a finished bundle to all targets of its profile; one that fails affects no other. */
import { realpathSync } from "node:fs";
import { messageOf, StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { Target } from "../config/profile.ts";
import { renderTag } from "../domain/tag.ts";
import { renderDirectory } from "../config/target_tenants.ts";
import { pushResult, type RemoteReason } from "../net/failure.ts";
import { openRegistry } from "../registry/open.ts";
import { pushBundle } from "../registry/push.ts";
import { parseEndpoint } from "../domain/reference.ts";
import { lstatIfThere } from "../output/partial_folder.ts";
import { isTransient } from "./transient.ts";
import { isPublished, publishDirectory } from "../output/publish.ts";
import type { ExportReport } from "./report.ts";
import { egressOf, type ExportContext, type ExportSpec } from "./spec.ts";

type RegistryTarget = Extract<Target, { registry: string }>;

export interface FinishedBundle {
  readonly exportId: string;
  readonly directory: string;
  readonly report: ExportReport;
  /** It was published before: a directory that has it already is skipped. */
  readonly isRepeated?: boolean;
}

interface Publishing {
  readonly spec: ExportSpec;
  readonly bundle: FinishedBundle;
  readonly context: ExportContext;
}

/** Milliseconds between two tries on a directory locked by another export, and their number. */
const busyPause = 500;
const maxWaits = 1_200;

export interface TargetOutcome {
  target: Target;
  seconds: number;
  failure?: { thrown: unknown };
}

/** @throws StellaError that names every failed target and why; the reason of an aborted signal */
export async function publishTargets(
  spec: ExportSpec,
  bundle: FinishedBundle,
  context: ExportContext,
): Promise<void> {
  const outcomes = await tryTargets(spec, bundle, context);
  const failures = outcomes.flatMap(({ target, failure }) =>
    failure === undefined ? [] : [{ name: nameOf(target), thrown: failure.thrown }]
  );
  if (failures.length > 0) throw publishError(failures, outcomes.length);
}

/** @throws the reason of an aborted signal */
export async function tryTargets(
  spec: ExportSpec,
  bundle: FinishedBundle,
  context: ExportContext,
): Promise<TargetOutcome[]> {
  const { timing, signal } = context;
  const publishing = { spec, bundle, context };
  const outcomes: TargetOutcome[] = [];
  for (const target of spec.targets) {
    const started = timing.now();
    const seconds = () => Math.round(timing.now() - started) / 1000;
    try {
      if ("directory" in target) await toDirectory(publishing, target.directory);
      else await toRegistry(publishing, target);
      outcomes.push({ target, seconds: seconds() });
    } catch (thrown) {
      // The others would only fail in the same way.
      if (signal.aborted) throw thrown;
      outcomes.push({ target, seconds: seconds(), failure: { thrown } });
    }
  }
  return outcomes;
}

/**
 * One error for all failures. A job is retried if that may help one of them; see transient.ts.
 * @param count of all destinations, failed or not
 */
export function publishError(
  failures: readonly { name: string; thrown: unknown }[],
  count: number,
): unknown {
  const errors = failures.map(({ thrown }) => thrown);
  if (failures.length === 1) return errors[0];
  const known = errors.filter((one): one is StellaError => one instanceof StellaError);
  const first = known.length < errors.length ? undefined : known[0];
  const { reason, kind } = known.find(isTransient) ?? first ?? { reason: "defect", kind: "defect" };
  const named = failures.map(({ name, thrown }) => `${name}: ${messageOf(thrown)}`);
  const text = `Cannot publish to ${failures.length} of ${count} targets: ${named.join("; ")}`;
  const hints = [...new Set(known.flatMap(({ hint }) => hint ?? []))];
  return new StellaError(reason, text, {
    kind,
    cause: errors[0],
    findings: known.flatMap(({ findings }) => findings),
    ...(hints.length === 0 ? {} : { hint: hints.join("; ") }),
  });
}

export function nameOf(target: Target): string {
  return "directory" in target
    ? `directory ${shown(target.directory)}`
    : `registry ${target.registry}`;
}

async function toDirectory(publishing: Publishing, template: string): Promise<void> {
  const { spec: { profile, tenant }, bundle, context } = publishing;
  const { exportId, directory: from, report } = bundle;
  const directory = renderDirectory(template, tenant);
  const progress = () => context.emit({ kind: "progress", stage: "store", done: 0, total: 0 });
  const publish = () =>
    publishDirectory(from, directory, { exportId, tenant, profile }, report.files, progress);
  if (isThere(bundle, directory)) return context.emit({ kind: "published", result: "skipped" });
  try {
    await whileBusy(context, publish);
    context.emit({ kind: "published", result: "success" });
  } catch (error) {
    const isTaken = error instanceof StellaError && error.kind === "conflict";
    context.emit({ kind: "published", result: isTaken ? "conflict" : "error" });
    throw error;
  }
}

/** Whether the bundle was made or published in that directory before. */
function isThere(bundle: FinishedBundle, directory: string): boolean {
  try {
    if (lstatIfThere(directory) === undefined) return false;
    if (realpathSync(bundle.directory) === realpathSync(directory)) return true;
    return bundle.isRepeated === true && isPublished(bundle.directory, directory);
  } catch {
    // Publishing will report why it cannot be examined.
    return false;
  }
}

/** Two exports may publish to the same directory: the second one waits for a while. */
async function whileBusy(
  { timing, signal }: ExportContext,
  publish: () => Promise<void>,
): Promise<void> {
  for (let waits = 0;; waits++) {
    try {
      return await publish();
    } catch (error) {
      const isHeld = error instanceof StellaError && error.reason === "directory_held";
      if (!isHeld || waits === maxWaits) throw error;
    }
    await timing.sleep(busyPause, signal);
  }
}

/** @throws StellaError usage, interrupted; RemoteError */
async function toRegistry(publishing: Publishing, target: RegistryTarget): Promise<void> {
  const { spec, bundle: { directory, report }, context: { timing, emit, signal } } = publishing;
  const started = timing.now();
  const end = (result: "success" | RemoteReason) => {
    const seconds = (timing.now() - started) / 1000;
    emit({ kind: "pushed", registry: target.registry, result, seconds });
  };
  const client = clientFor(publishing, target);
  try {
    const tag = renderTag(target.tag, { ...report, digest: report.bundleDigest });
    await pushBundle({
      client,
      dir: directory,
      repository: target.repository,
      tag,
      mountFrom: othersBefore(target, spec),
      progress: (done, total) => emit({ kind: "progress", stage: "push", done, total }),
      signal,
    });
    end("success");
  } catch (error) {
    // An abort is not the registry's fault.
    if (!signal.aborted) end(pushResult(error));
    throw error;
  } finally {
    client.close();
  }
}

/** Repositories of the same registry that this export was pushed to: they have all its blobs. */
function othersBefore(target: RegistryTarget, { targets }: ExportSpec): string[] {
  const before = targets.slice(0, targets.indexOf(target));
  const there = before.flatMap((one) =>
    "registry" in one && one.registry === target.registry ? [one.repository] : []
  );
  return [...new Set(there)].filter((name) => name !== target.repository);
}

function clientFor({ spec, context }: Publishing, target: RegistryTarget) {
  const registry = spec.registries.find(({ name }) => name === target.registry);
  if (registry === undefined) {
    const text = `Cannot publish to the registry ${shown(target.registry)}: it is not configured`;
    throw new StellaError("configuration_invalid", text, {
      hint: "name it under `registries` in stella.yaml",
    });
  }
  const { url, plainHttp, name: _, credential: __, serves: ___, ...files } = registry;
  const endpoint = parseEndpoint(url, plainHttp);
  return openRegistry({ endpoint, repository: target.repository, ...files }, {
    timing: context.timing,
    policy: egressOf(spec, context),
    uploads: context.uploads,
  });
}
