/** The work of the job loop: one worker per export, observed from start to end. */
import { runInWorker } from "../jobs/worker_host.ts";
import { StellaError } from "../domain/errors.ts";
import { belongsTo, type Profile } from "../config/profile.ts";
import { leftOutOf } from "../export/report.ts";
import { requestExport } from "../export/spec.ts";
import type { ExportJob, JobReport } from "../export/stored_export.ts";
import type { Job, JobError, Outcome } from "../jobs/job.ts";
import { exportOptions } from "../http/export_request.ts";
import type { UploadSession } from "../registry/sessions.ts";
import type { WorkerEvent } from "./export_worker.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";
import type { Signing } from "./signing.ts";

/** The store as used by exports. */
export interface Stored {
  onStored(job: Job): void;
  /** The export with the newest stored bundle, unless that is damaged. */
  newestOf(job: Job): Job | undefined;
}

export function exportWork(
  options: ServiceOptions,
  { watch, uploads }: Pick<ServiceResources, "watch" | "uploads">,
  signing: Signing,
  { onStored, newestOf }: Stored,
) {
  const { elapsed, now, mainUrl, config } = options;
  const watched = new Map<string, ReturnType<typeof watch>>();
  const heard = new Map<string, number>();
  /** The watcher of an export that ends. */
  const takeWatcher = (id: string) => {
    const watcher = watched.get(id);
    watched.delete(id);
    return watcher;
  };
  return {
    /** The oldest last heartbeat of all workers. */
    lastHeartbeatAt: () => heard.size === 0 ? undefined : Math.min(...heard.values()),
    onStart: (job: Job) => {
      const watcher = watch(job);
      watched.set(job.id, watcher);
      watcher.started(job.attempt);
    },
    work: async (asked: Job, signal: AbortSignal) => {
      const { id } = asked;
      const newest = newestFor(asked, config, newestOf);
      const job = {
        ...exportJob(options, asked),
        uploads: uploads.all<UploadSession>(),
        ...(newest === undefined ? {} : { newest: { exportId: newest.id } }),
      };
      signing.prepare();
      const onPulse = () => void heard.set(id, elapsed());
      onPulse();
      const report = await runInWorker<ExportJob, WorkerEvent, JobReport>({
        url: mainUrl,
        job,
        permissions: permissionsFor(job.request.profile),
        onEvent: (event) => {
          if (event.kind === "upload") uploads.put(event.key, event.session);
          else watched.get(id)?.onEvent(event);
        },
        onHeartbeat: onPulse,
        signal,
        stallTimeout: config.service.stallSeconds * 1000,
      }).finally(() => heard.delete(id));
      const { bundleDigest, bundleBytes: bytes, payload: { files } } = report;
      const { sameAs, artifacts, risk, emptyDirectories } = report;
      if (sameAs !== undefined) return { bundleDigest, bytes, files, sameAs };
      watched.get(id)?.made(bytes, artifacts, leftOutOf(risk), emptyDirectories?.count);
      return { bundleDigest, bytes, files };
    },
    onDefer: ({ id }: Job, error: JobError, wait: number) => takeWatcher(id)?.deferred(error, wait),
    onLost: ({ id }: Job) => takeWatcher(id)?.lost(),
    onEnd: (job: Job, outcome: Outcome, seconds: number) => {
      takeWatcher(job.id)?.ended(outcome, seconds, now());
      if (outcome.state === "succeeded") onStored(job);
    },
  };
}

/** The previous bundle that the export may equal; not if the options differ. */
function newestFor(
  job: Job,
  { profiles }: ServiceOptions["config"],
  newestOf: Stored["newestOf"],
): Job | undefined {
  const { schedule } = profiles.get(job.profile) ?? {};
  if (job.trigger !== "schedule" || schedule?.whenUnchanged !== "skip") return undefined;
  const newest = newestOf(job);
  const isSame = JSON.stringify(newest?.request) === JSON.stringify(job.request);
  return isSame ? newest : undefined;
}

/** Packed files may be hostile: network permission only for profiles that connect to others. */
function permissionsFor(profile: Profile): Deno.PermissionOptions {
  const net = usesNetwork(profile) ? "inherit" : false;
  return { read: "inherit", write: "inherit", env: "inherit", sys: "inherit", net };
}

function usesNetwork({ providers = [], images, targets }: Profile): boolean {
  return images !== undefined || providers.some(({ url }) => url !== undefined) ||
    targets.some((target) => "registry" in target);
}

export function networkBoundProfiles(profiles: ReadonlyMap<string, Profile>): Set<string> {
  return new Set([...profiles].filter(([, one]) => usesNetwork(one)).map(([name]) => name));
}

/** @throws StellaError config if profile or tenant are gone, usage if the request is not valid */
function exportJob({ config, state, environment }: ServiceOptions, job: Job): ExportJob {
  const profile = config.profiles.get(job.profile);
  const isOwn = profile !== undefined && belongsTo(profile, job.tenant);
  if (!isOwn || !config.tenants.includes(job.tenant)) {
    const changed = `Cannot export "${job.profile}": the configuration changed since the request`;
    const hint =
      `put the profile ${job.profile} and the tenant ${job.tenant} back, and export again`;
    throw new StellaError("configuration_changed", changed, { hint });
  }
  const stored = exportOptions.safeParse(job.request);
  if (!stored.success) {
    const found = stored.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
    const said = `Cannot export "${job.profile}": the stored request is not valid: ${found}`;
    const hint = "export the profile again: this request was stored by an earlier version";
    throw new StellaError("request_invalid", said, { hint });
  }
  const { id: exportId, tenant } = job;
  const request = requestExport(config, profile, tenant, environment, state);
  return { exportId, state, request: { ...request, ...stored.data } };
}
