/** What a service does by itself: exports that are due, bundles that outlived their rule, jobs that nobody asks for any more. */
import type { Run, Schedule } from "../jobs/schedule.ts";
import type { Job } from "../jobs/job.ts";
import type { Retention } from "../store/retention.ts";
import type { Damage } from "../store/scrub.ts";
import type { Ground } from "./ground.ts";
import type { ServiceOptions } from "./options.ts";
import type { Rooms } from "./rooms.ts";

const day = 86_400_000;
/** Jobs that are forgotten at once; a transaction holds up the service while it runs. */
const mostForgotten = 1_000;

export function upkeepOf(options: ServiceOptions, rooms: Rooms, ground: Ground) {
  const { config, state, now, elapsed } = options;
  const { store, queue, metrics, log, onFault } = ground;
  return new rooms.Upkeep({
    store,
    state,
    profiles: [...config.profiles.keys()],
    rules: rulesOf(config),
    scrubEvery: config.service.scrubDays * day,
    now,
    elapsed,
    onCounts: (counts) => metrics.stored(counts),
    onRound: () => queue.prune(now() - config.service.keepDays * day, mostForgotten),
    onRemoved: (bundles) => {
      queue.bundlesRemoved(bundles.map(({ exportId }) => exportId));
      for (const { profile } of bundles) metrics.removed(profile);
      const count = bundles.length;
      log("INFO", "store.removed", "Bundles that outlived their rule were removed", { count });
    },
    onScrubbed: (damaged) => scrubbed(damaged, options, ground),
    onFault,
  });
}

function scrubbed(damaged: readonly Damage[], { now }: ServiceOptions, { metrics, log }: Ground) {
  metrics.scrubbed(now(), damaged.length);
  for (const { path, found, ...of } of damaged) {
    metrics.verified("failed", "digest_mismatch");
    log("ERROR", "store.damaged", "A stored bundle differs from its manifest", {
      ...of,
      attestationStatus: "failed",
      path,
      detail: found,
    });
  }
  log("INFO", "store.scrubbed", "The stored bundles were read", { count: damaged.length });
}

function rulesOf({ profiles }: ServiceOptions["config"]): Map<string, Retention> {
  const rules = [...profiles.values()].flatMap(({ name, retention }): [string, Retention][] =>
    retention === undefined ? [] : [[name, retention]]
  );
  return new Map(rules);
}

export function schedulerOf(
  { config, now }: ServiceOptions,
  rooms: Rooms,
  { queue, metrics, log, onFault }: Ground,
  onQueued: (job: Job) => void,
) {
  return new rooms.Scheduler({
    schedules: schedulesOf(config),
    queue,
    database: queue.database,
    now,
    onQueued,
    onTimes: (profile, next, stale) => metrics.scheduled(profile, next, stale),
    onRun: ({ profile, tenant }, result) => {
      metrics.due(profile, result);
      const said = outOfOrder[result];
      if (said !== undefined) log("WARN", ...said, { profile, tenant });
    },
    onFault,
  });
}

/** Runs that were not what the schedule promises, as event and body of their line in the log. */
const outOfOrder: Partial<Record<Run, [event: string, body: string]>> = {
  late: ["schedule.late", "An export was due while the service was down, and is made up for"],
  skipped: ["schedule.skipped", "An export is due while its last one has not ended"],
};

function schedulesOf({ profiles, tenants }: ServiceOptions["config"]): Schedule[] {
  return [...profiles.values()].flatMap(({ name: profile, schedule }) => {
    if (schedule === undefined) return [];
    const { cron, zone, tenant = tenants[0] ?? "default" } = schedule;
    return [{ profile, tenant, cron, zone }];
  });
}
