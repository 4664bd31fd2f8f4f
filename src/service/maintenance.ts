/** Maintenance: scheduled exports, expired bundles, old jobs. */
import { type Schedule, Scheduler } from "../jobs/schedule.ts";
import { SqliteScheduleRuns } from "../jobs/sqlite/schedule_runs.ts";
import type { ScheduledRun } from "../domain/labels.ts";
import type { Job } from "../jobs/job.ts";
import type { ServerDeps } from "../http/deps.ts";
import type { ExportOutcome, MadeBundle, Orphans, Retention } from "../store/files/retention.ts";
import type { Damage } from "../store/files/scrub.ts";
import { Maintenance } from "../store/maintenance.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";
import type { Stored } from "./export_work.ts";

const day = 86_400_000;
/** Jobs removed per transaction, which blocks the service. */
const maxForgotten = 1_000;

export function createMaintenance(options: ServiceOptions, resources: ServiceResources) {
  const { config, state, now, elapsed } = options;
  const { store, queue, metrics, log, onFault } = resources;
  return new Maintenance({
    store,
    state,
    profiles: [...config.profiles.keys()],
    rules: rulesOf(config),
    made: (profile) => queue.made(profile).map(bundleOf),
    outcomeOf: (bundle) => standingOf(queue.get(bundle.exportId)),
    scrubEvery: config.service.scrubDays * day,
    now,
    elapsed,
    onCounts: (counts, others) => metrics.stored(counts, others),
    onRound: () => queue.prune(now() - config.service.retentionDays * day, maxForgotten),
    onRemoved: (bundles) => {
      queue.bundlesRemoved(bundles.map(({ exportId }) => exportId));
      for (const { profile } of bundles) metrics.count("export_store_removed_total", { profile });
      const count = bundles.length;
      log("INFO", "store.removed", "expired bundles removed", { count });
    },
    onOrphans: logOrphans(log),
    onScrubbed: (damaged) => scrubbed(damaged, resources),
    onDamage: (damaged, at) => metrics.damaged(damaged.length, at),
    onFault,
  });
}

/** The store as used by requests: removals update the counts, and damage is known. */
export function storeDeps(
  { store }: Pick<ServiceResources, "store">,
  maintenance: Pick<Maintenance, "removed" | "damageOf">,
): Pick<ServerDeps, "store" | "damageOf"> {
  return {
    store: {
      find: (bundle) => store.find(bundle),
      remove: (bundle) => {
        const was = store.remove(bundle);
        maintenance.removed(bundle);
        return was;
      },
    },
    damageOf: (bundle) => maintenance.damageOf(bundle),
  };
}

/** The store as used by exports. */
export function storeHooks(
  { queue, store }: Pick<ServiceResources, "queue" | "store">,
  maintenance: Pick<Maintenance, "tidy" | "damageOf">,
): Stored {
  return {
    onStored: ({ profile }) => maintenance.tidy(profile),
    newestOf: ({ profile, tenant }) => {
      const newest = queue.made(profile).findLast((one) => one.tenant === tenant);
      if (newest === undefined) return undefined;
      const bundle = bundleOf(newest);
      const isGood = store.find(bundle) !== undefined && maintenance.damageOf(bundle) === undefined;
      return isGood ? newest : undefined;
    },
  };
}

/** A bundle confirmed by a later export counts as new as that one. */
function bundleOf({ id: exportId, tenant, profile, finishedAt = 0, confirmedAt = 0 }: Job) {
  const madeAt = Math.max(finishedAt, confirmedAt);
  return { exportId, tenant, profile, madeAt } satisfies MadeBundle;
}

function standingOf(job: Job | undefined): ExportOutcome {
  if (job === undefined) return "unknown";
  if (job.state === "succeeded") return "succeeded";
  return job.finishedAt === undefined ? "open" : "ended without a bundle";
}

/** Bundles of unknown exports are logged when their number changes, not in every round. */
function logOrphans(log: ServiceResources["log"]) {
  let told = 0;
  return ({ removed, unknown }: Orphans) => {
    for (const bundle of removed) {
      log("INFO", "store.stray", "partial output of a failed export removed", bundle);
    }
    const count = unknown.length;
    if (count !== told && count > 0) {
      log("WARN", "store.unknown", unknownBundles, { count, ...unknown[0] });
    }
    told = count;
  };
}

const unknownBundles = "bundles of unknown exports found and kept, such as this one";

function scrubbed(damaged: readonly Damage[], { metrics, log, queue }: ServiceResources) {
  for (const { path, found, ...of } of damaged) {
    const bundleDigest = queue.get(of.exportId)?.bundleDigest;
    metrics.verified("failed", "digest_mismatch");
    const fields = {
      ...of,
      bundleDigest,
      attestationStatus: "failed",
      path,
      detail: found,
    } as const;
    log("ERROR", "store.damaged", "stored bundle differs from its manifest", fields);
  }
  log("INFO", "store.scrubbed", "stored bundles scrubbed", { count: damaged.length });
}

function rulesOf({ profiles }: ServiceOptions["config"]): Map<string, Retention> {
  const rules = [...profiles].map(([name, { retention }]) => [name, retention] as const);
  return new Map(rules.filter((rule): rule is [string, Retention] => rule[1] !== undefined));
}

export function createScheduler(
  { config, now }: ServiceOptions,
  { queue, metrics, log, onFault }: ServiceResources,
  onQueued: (job: Job) => void,
) {
  return new Scheduler({
    schedules: schedulesOf(config),
    queue,
    runs: new SqliteScheduleRuns(queue.database),
    now,
    onQueued,
    onTimes: (profile, next, stale) => metrics.scheduled(profile, next, stale),
    onRun: ({ profile, tenant }, result) => {
      metrics.count("export_schedule_runs_total", { profile, result });
      const said = outOfOrder[result];
      if (said !== undefined) log("WARN", ...said, { profile, tenant });
    },
    onFault,
  });
}

/** Event and message of the log line for irregular scheduled runs. */
const outOfOrder: Partial<Record<ScheduledRun, [event: string, body: string]>> = {
  late: ["schedule.late", "scheduled export queued late: the service was down when it was due"],
  skipped: ["schedule.skipped", "scheduled export skipped: the previous one has not ended"],
};

function schedulesOf({ profiles, tenants }: ServiceOptions["config"]): Schedule[] {
  return [...profiles.values()].flatMap(({ name: profile, schedule, ...rest }) => {
    if (schedule === undefined) return [];
    const { cron, zone, tenant = (rest.tenants ?? tenants)[0] ?? "default" } = schedule;
    return [{ profile, tenant, cron, zone }];
  });
}
