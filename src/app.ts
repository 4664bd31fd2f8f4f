/**
 * The service, put together: what each room needs is handed to it here, and nothing else happens here. It starts from the
 * ground up (lock, database, checks, port, work) and stops in the opposite order; a start that fails undoes what it did.
 * The rooms are loaded when a service starts, because the worker of an export loads this file too and needs none of them.
 */
import { join } from "node:path";
import { escaped } from "./bundle/names.ts";
import { type EgressPolicy, egressPolicy } from "./config/egress.ts";
import type { Config } from "./config/load.ts";
import type { Listen } from "./config/listen.ts";
import type { RegistryConfig } from "./config/profile.ts";
import { StellaError } from "./errors.ts";
import type { ExportJob } from "./export/job.ts";
import type { ExportReport } from "./export/report.ts";
import type { Job, Outcome } from "./jobs/job.ts";
import type { AttestationProbe } from "./server/checks.ts";
import type { ExportRequest } from "./server/exports.ts";
import type * as telemetry from "./telemetry/traces.ts";
import type { ExportEvent } from "./telemetry/export_watch.ts";
import { build, programPath } from "./version.ts";

export interface ServiceOptions {
  config: Config;
  /** The state directory; made where it is missing. */
  state: string;
  listen: Listen;
  /** The module that answers exports in a worker: the program's main module. */
  mainUrl: string;
  /** Verifies a good envelope and its tampered twin; see `attestationVerify`. */
  attestation(): Promise<AttestationProbe>;
  environment(name: string): string | undefined;
  /** Where the log goes; takes some of the bytes and says how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  random(bytes: Uint8Array): Uint8Array;
  /** Milliseconds that a running export gets to end when the service stops; systemd kills after 90 s. */
  drain?: number;
}

export interface Service {
  url: string;
  /** What /health/liveness answers. */
  alive(): boolean;
  /** Not ready at once, no new job, the running one ends or goes back to the queue. */
  stop(): Promise<void>;
}

/** What has to be done to stop, last thing first. */
type Undo = (() => void | Promise<void>)[];

/** @throws StellaError usage where the lock, the database or the address cannot be had */
export async function startService(options: ServiceOptions): Promise<Service> {
  const undo: Undo = [];
  const unwind = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const rooms = await loadRooms();
    const ground = await openGround(options, rooms, undo);
    const running = await run(options, rooms, ground, undo);
    const { url, alive, drain } = running;
    return { url, alive, stop: () => (drain(), unwind()) };
  } catch (error) {
    await unwind();
    throw error;
  }
}

type Rooms = Awaited<ReturnType<typeof loadRooms>>;

async function loadRooms() {
  return {
    ...await import("./assets/self.ts"),
    ...await import("./jobs/lock.ts"),
    ...await import("./jobs/loop.ts"),
    ...await import("./jobs/export_timeline.ts"),
    ...await import("./jobs/queue.ts"),
    ...await import("./jobs/timeline.ts"),
    ...await import("./jobs/uuid.ts"),
    ...await import("./jobs/worker_host.ts"),
    ...await import("./registry/open.ts"),
    ...await import("./registry/reference.ts"),
    ...await import("./registry/retry.ts"),
    ...await import("./server/checks.ts"),
    ...await import("./server/http_server.ts"),
    ...await import("./server/liveness.ts"),
    ...await import("./server/readiness.ts"),
    ...await import("./server/server.ts"),
    ...await import("./store/store.ts"),
    ...await import("./telemetry/check_watch.ts"),
    ...await import("./telemetry/egress_watch.ts"),
    ...await import("./telemetry/export_watch.ts"),
    ...await import("./telemetry/journal.ts"),
    ...await import("./telemetry/log.ts"),
    ...await import("./telemetry/metrics.ts"),
    ...await import("./telemetry/scraped.ts"),
  };
}

type Ground = Awaited<ReturnType<typeof openGround>>;

/** What all else stands on: a state directory that is ours alone, the log, the queue, the metrics. */
async function openGround(options: ServiceOptions, rooms: Rooms, undo: Undo) {
  const { state, config, now, elapsed, random } = options;
  const lock = await rooms.takeLock(state);
  undo.push(() => lock.release());
  new rooms.FileStore(state).sweep();
  const { log, drained } = rooms.openLog(logOptions(options, rooms));
  undo.push(() => drained(1_000));
  undo.push(() => log("INFO", "service.stopped", "The service has stopped"));
  const onFault = (error: unknown) =>
    log("ERROR", "service.fault", "Something failed that no request is to blame for", {
      error: rooms.logError(error),
    });
  const newId = () => rooms.uuidV7(now(), random(new Uint8Array(10)));
  const queue = new rooms.Queue(join(state, "stella.db"), { now, newId });
  undo.push(() => queue.close());
  const startedAt = now();
  const metrics = new rooms.Metrics({
    profiles: [...config.profiles.values()],
    build: { ...build(), bundleSchema: 1 },
    queue: () => queue.figures(),
    process: () => rooms.processFigures(startedAt),
    onFault,
  });
  const egress = new rooms.EgressWatch({ log, metrics });
  const policy = egressPolicy(config.egress, (host, port) => egress.refused(`${host}:${port}`));
  const traces = await openTraces(options, rooms, { log, metrics }, policy);
  undo.push(() => traces?.close(2_000));
  const keep = config.timeline.days * 86_400_000;
  const timeline = new rooms.Timeline(queue.database, { now, random, keep });
  const watch = ({ id: exportId, ...job }: Job) => {
    const trace = traces?.ofExport({ exportId, ...job });
    const of = { exportId, profile: job.profile, tenant: job.tenant };
    const seen = new rooms.ExportWatch(of, { log, metrics, elapsed, trace, egress });
    return rooms.alsoInTimeline(seen, of, timeline, onFault);
  };
  return { lock, log, onFault, queue, metrics, traces, watch, timeline, egress, policy };
}

/** Undefined, with no code loaded and no socket opened, where the configuration names no collector. */
async function openTraces(
  options: ServiceOptions,
  rooms: Rooms,
  to: Pick<Parameters<typeof telemetry.openTraces>[0], "log" | "metrics">,
  policy: EgressPolicy,
) {
  const { config, now, random } = options;
  if (config.traces === undefined) return undefined;
  const { openTraces } = await import("./telemetry/traces.ts");
  const { openPoster } = await import("./registry/poster.ts");
  const path = "/v1/traces";
  const poster = openPoster({ ...config.traces, path, contentType: "application/json" }, policy);
  const { resource, escape } = logOptions(options, rooms);
  const { version } = build();
  const traces = openTraces({ ...to, post: poster.post, resource, version, now, random, escape });
  return { ...traces, close: (bound: number) => traces.close(bound).finally(poster.close) };
}

function logOptions({ write, now, listen, environment }: ServiceOptions, rooms: Rooms) {
  const resource = {
    "service.name": "stella",
    "service.version": build().version,
    "service.instance.id": `${Deno.hostname()}:${listen.port}`,
  };
  const journal = rooms.isJournal(environment("JOURNAL_STREAM"));
  return { write, now, resource, escape: escaped, journal };
}

/** Checks first, then the port, then the work. */
async function run(options: ServiceOptions, rooms: Rooms, ground: Ground, undo: Undo) {
  const { config, elapsed, now, listen, drain = 60_000 } = options;
  const { queue, metrics, traces, watch, timeline, egress, onFault, log } = ground;
  let draining = false;
  const isDraining = () => draining;
  const readiness = readinessOf(options, rooms, ground, isDraining);
  undo.push(() => readiness.stop());
  await readiness.start();
  const { heardAt, ...work } = exportWork(options, rooms, watch);
  const liveness = new rooms.Liveness({ elapsed, workerHeardAt: heardAt });
  undo.push(() => liveness.stop());
  const loop = new rooms.Loop({ ...work, queue, now, elapsed, onFault });
  const onQueued = (job: Job) => (watch(job).queued(), loop.wake());
  const scrape = () => metrics.scrape();
  const binary = binaryDigest(rooms, onFault);
  const parts = { build: build(), binary, config, queue, timeline, egress, liveness, readiness };
  const app = rooms.createServer({
    ...parts,
    scrape,
    isDraining,
    onQueued,
    onFault,
    ...(traces === undefined ? {} : { trace: traces.ofRequest }),
  });
  const http = await rooms.serveHttp(app, listen);
  undo.push(() => http.close(2_000));
  for (const job of queue.recover().givenUp) watch(job).ended({ ...job, state: "failed" }, 0);
  loop.start();
  undo.push(() => loop.stop(drain));
  log("INFO", "service.started", "The service answers", { url: http.url });
  return {
    url: http.url,
    alive: () => liveness.report().status === "pass",
    drain: () => {
      draining = true;
      log("INFO", "service.stopping", "The service takes no more work and stops");
    },
  };
}

/** Read once, at the start: an upgrade puts another file in its place while this one runs on. */
function binaryDigest(rooms: Rooms, onFault: (error: unknown) => void) {
  const path = programPath();
  if (path === undefined) return Promise.resolve(undefined);
  return rooms.digestOfFile(path).catch((error) => void onFault(error));
}

function readinessOf(
  options: ServiceOptions,
  rooms: Rooms,
  { lock, log, queue, metrics, policy }: Ground,
  isDraining: () => boolean,
) {
  const { state, config, now, elapsed, attestation } = options;
  const profiles = [...config.profiles.values()];
  const ping = async (registry: RegistryConfig, signal: AbortSignal) => {
    const endpoint = rooms.parseEndpoint(registry.url, registry.plainHttp);
    const ca = registry.ca === undefined ? {} : { ca: registry.ca };
    const timing = rooms.systemTiming;
    const client = rooms.openRegistry({ endpoint, ...ca }, { timing, policy });
    await client.ping(signal).finally(() => client.close());
  };
  return new rooms.Readiness({
    checks: [
      rooms.storageWrite(state),
      rooms.storageFree(state, (space) => metrics.storage(space)),
      rooms.databaseWrite(queue),
      rooms.lockHeld(lock),
      ...rooms.registryChecks([...config.registries.values()], profiles, ping),
      rooms.attestationVerify(
        attestation,
        ({ ok, reason }) => metrics.verified(ok ? "success" : "failed", reason),
      ),
    ],
    now,
    elapsed,
    isDraining,
    onRound: rooms.watchChecks(log, metrics),
  });
}

/** The work of the loop: one worker for each export, watched from start to end. */
function exportWork(options: ServiceOptions, rooms: Rooms, watch: Ground["watch"]) {
  let heard: number | undefined;
  let current: ReturnType<typeof watch>;
  const onPulse = () => heard = options.elapsed();
  return {
    heardAt: () => heard,
    onStart: (job: Job) => (current = watch(job)).started(job.attempt),
    work: async (asked: Job, signal: AbortSignal) => {
      const job = exportJob(options, asked);
      onPulse();
      const report = await rooms.runInWorker<ExportJob, ExportEvent, ExportReport>({
        url: options.mainUrl,
        job,
        onEvent: (event) => current.told(event),
        onPulse,
        signal,
      }).finally(() => heard = undefined);
      current.made(report.bundleBytes, report.artifacts);
      return { bundleDigest: report.bundleDigest };
    },
    onEnd: (_: Job, outcome: Outcome, seconds: number) => current.ended(outcome, seconds),
  };
}

/** @throws StellaError usage where the configuration no longer has the profile or the tenant */
function exportJob({ config, state }: ServiceOptions, job: Job): ExportJob {
  const profile = config.profiles.get(job.profile);
  if (profile === undefined || !config.tenants.includes(job.tenant)) {
    throw new StellaError("usage", "Cannot export: the configuration changed since it was asked", {
      hint: `put the profile ${job.profile} and the tenant ${job.tenant} back, and ask again`,
    });
  }
  const named = profile.targets.flatMap((target) => "registry" in target ? target.registry : []);
  const registries = [...config.registries.values()].filter(({ name }) => named.includes(name));
  const { id: exportId, tenant } = job;
  const { egress } = config;
  return { exportId, tenant, profile, state, registries, egress, ...job.request as ExportRequest };
}
