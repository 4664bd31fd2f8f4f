/** What the service needs: lock, log, queue, store, metrics, egress policy, traces. */
import { ascendingIds } from "../domain/uuid.ts";
import { feedWatcher, timelineWatcher, watchedBy } from "../jobs/export_timeline.ts";
import { Feed } from "../jobs/feed.ts";
import { takeLock } from "../jobs/sqlite/lock.ts";
import { SqliteQueue } from "../jobs/sqlite/queue.ts";
import { SqliteTimeline } from "../jobs/sqlite/timeline.ts";
import { maxUploadAge } from "../registry/sessions.ts";
import { Uploads } from "../jobs/sqlite/uploads.ts";
import { Audit } from "../telemetry/audit.ts";
import { EgressWatch } from "../telemetry/egress_watch.ts";
import { ExportWatch } from "../telemetry/export_watch.ts";
import { isJournal } from "../telemetry/journal.ts";
import { Metrics, processFigures } from "../telemetry/metrics.ts";
import { join } from "node:path";
import { errorRecord, StellaError } from "../domain/errors.ts";
import { escaped } from "../domain/names.ts";
import { destinations } from "../config/destinations.ts";
import { type EgressPolicy, egressPolicy } from "../domain/egress.ts";
import { ignoredWarning } from "../config/hostile_environment.ts";
import { isLoopback } from "../domain/loopback.ts";
import type { Job } from "../jobs/job.ts";
import type { JobQueue } from "../jobs/job_queue.ts";
import { FileStore } from "../store/files/store.ts";
import { type Log, openLog, type Severity } from "../telemetry/log.ts";
import { build } from "../domain/version.ts";
import type { Cleanup, ServiceOptions } from "./options.ts";

export type ServiceResources = Awaited<ReturnType<typeof openResources>>;

/** @throws StellaError usage if the lock or the database is not available */
export async function openResources(options: ServiceOptions, cleanup: Cleanup) {
  const { state, config, now, elapsed, random } = options;
  const lock = await takeLock(state);
  cleanup.push(() => lock.release());
  const store = new FileStore(state);
  store.sweep();
  let counted = (_: Severity): void => {};
  const onLine = (severity: Severity) => counted(severity);
  const { log, drained } = openLog({ ...logOptions(options), onLine });
  cleanup.push(() => drained(1_000));
  cleanup.push(() => log("INFO", "service.stopped", "service stopped"));
  warnOfIgnoredVariables(options, log);
  const onFault = (error: unknown) =>
    log("ERROR", "service.fault", "background task failed", { error: errorRecord(error) });
  const lease = options.lease === undefined ? {} : { lease: options.lease };
  const path = join(state, "stella.db");
  const onNew = () => refuseLost(path, store);
  const queue = new SqliteQueue(path, { now, newId: () => newId(), onNew, ...lease });
  const newId = ascendingIds({ now, random, after: queue.list({ limit: 1 })[0]?.id });
  cleanup.push(() => queue.close());
  // Not created again if exports exist: readiness fails if it is missing.
  if (queue.lastSuccesses().size === 0) store.prepare();
  const metrics = openMetrics(options, queue, onFault);
  counted = (severity) => metrics.count("export_log_messages_total", { level: severity });
  const egress = new EgressWatch({ log, metrics });
  const policy = egressPolicy(config.egress, (host, port) => egress.refused(`${host}:${port}`));
  const traces = await openTraces(options, { log, metrics }, policy);
  cleanup.push(() => traces?.close(2_000));
  const keep = config.timeline.days * 86_400_000;
  const timeline = new SqliteTimeline(queue.database, { now, random, keep });
  const uploads = new Uploads(queue.database, now, maxUploadAge);
  const feed = new Feed(config.tenants.length);
  const watch = ({ id: exportId, ...job }: Job) => {
    const of = { exportId, ...job };
    const trace = traces?.ofExport(of);
    const seen = new ExportWatch(of, { log, metrics, elapsed, trace, egress });
    const steps = timelineWatcher(of, timeline, onFault);
    return watchedBy(seen, steps, feedWatcher(exportId, feed));
  };
  const audit = new Audit({ log, timeline, elapsed, onFault });
  const observers = { audit, log, onFault, metrics, traces, watch, egress };
  return { ...observers, lock, policy, store, queue, timeline, uploads, feed };
}

/** Warns about variables without effect, if connections to other machines are configured. */
function warnOfIgnoredVariables({ config, environment }: ServiceOptions, log: Log): void {
  if (destinations(config).every(({ url }) => isLoopback(url.hostname))) return;
  const detail = ignoredWarning(environment);
  if (detail === undefined) return;
  log("WARN", "environment.ignored", "environment variables ignored", { detail });
}

/** No rule would remove bundles that a new database does not know. @throws StellaError config */
function refuseLost(path: string, store: FileStore): void {
  const bundles = store.list();
  const [first] = bundles;
  if (first === undefined) return;
  const found = `the store has bundles (${bundles.length}) that only the lost database knows`;
  const refused = `Cannot create a new database ${JSON.stringify(path)}: ${found}`;
  const hint = "restore stella.db and stella.db-wal from a backup; or move store/ away to start " +
    "again: its bundles are intact, verify each with stella verify, such as " +
    JSON.stringify(store.path(first));
  throw new StellaError("database_invalid", refused, { hint });
}

function openMetrics(
  { config, now }: ServiceOptions,
  queue: Pick<JobQueue, "figures" | "lastSuccesses">,
  onFault: (error: unknown) => void,
) {
  const startedAt = now();
  const metrics = new Metrics({
    profiles: [...config.profiles.values()],
    build: { ...build(), bundleSchema: 1 },
    queue: () => queue.figures(),
    process: () => processFigures(startedAt),
    onFault,
  });
  // A restart must not make a profile look stale.
  for (const [profile, at] of queue.lastSuccesses()) metrics.succeeded(profile, at);
  return metrics;
}

/** Undefined if no collector is configured; then no code is loaded and no socket opened. */
async function openTraces(
  options: ServiceOptions,
  to: { log: Log; metrics: Metrics },
  policy: EgressPolicy,
) {
  const { config, now, elapsed, random } = options;
  if (config.traces === undefined) return undefined;
  const { openTraces } = await import("../telemetry/traces.ts");
  const { openPoster } = await import("../net/poster.ts");
  const path = "/v1/traces";
  const poster = openPoster({ ...config.traces, path, contentType: "application/json" }, policy);
  const { resource, escape } = logOptions(options);
  const { version } = build();
  const { post } = poster;
  const traces = openTraces({ ...to, post, resource, version, now, elapsed, random, escape });
  return { ...traces, close: (bound: number) => traces.close(bound).finally(poster.close) };
}

function logOptions({ write, now, listen, environment }: ServiceOptions) {
  const resource = {
    "service.name": "stella",
    "service.version": build().version,
    "service.instance.id": `${Deno.hostname()}:${listen.port}`,
  };
  const journal = isJournal(environment("JOURNAL_STREAM"));
  return { write, now, resource, escape: escaped, journal };
}
