/** Wires the service: it starts state, checks, port, work, and stops in the opposite order. */
import { digestOfFile } from "../assets/self.ts";
import { isTransient } from "../export/transient.ts";
import { serveHttp } from "../http/http_server.ts";
import { Liveness } from "../http/liveness.ts";
import { createOpsServer, createServer } from "../http/server.ts";
import { Loop } from "../jobs/loop.ts";
import { isLost } from "../jobs/worker_host.ts";
import { openResources, type ServiceResources } from "./resources.ts";
import type { Cleanup, ServiceOptions } from "./options.ts";
import { createReadiness } from "./readiness.ts";
import { createSigning } from "./signing.ts";
import { createMaintenance, createScheduler, storeDeps, storeHooks } from "./maintenance.ts";
import { createTls, type Tls } from "./tls.ts";
import { exportWork, networkBoundProfiles } from "./export_work.ts";
import { isLoopback } from "../domain/loopback.ts";
import type { Listen } from "../config/listen.ts";
import type { Config } from "../config/load.ts";
import type { Job } from "../jobs/job.ts";
import type { App, ServerDeps } from "../http/deps.ts";
import { build, programPath } from "../domain/version.ts";
import { timingOf } from "../net/retry.ts";

export type { ServiceOptions } from "./options.ts";

export interface Service {
  url: string;
  alive(): boolean;
  /** Becomes unready at once and takes no new job; running ones end or return to the queue. */
  stop(): Promise<void>;
  /** Reloads what can be renewed at run time: the certificate. */
  renew(): void;
}

/** @throws StellaError usage if the lock, the database or the address is not available */
export async function startService(options: ServiceOptions): Promise<Service> {
  const cleanup: Cleanup = [];
  const unwind = async () => {
    for (let step = cleanup.pop(); step !== undefined; step = cleanup.pop()) await step();
  };
  try {
    const resources = await openResources(options, cleanup);
    const { drain, ...shown } = await run(options, resources, cleanup);
    return { ...shown, stop: () => (drain(), unwind()) };
  } catch (error) {
    await unwind();
    throw error;
  }
}

/** Starts the checks, then the port, then the work. */
async function run(options: ServiceOptions, resources: ServiceResources, cleanup: Cleanup) {
  const { elapsed, now, config, drain = 60_000 } = options;
  const { queue, metrics, watch, feed, onFault, log } = resources;
  let draining = false;
  const isDraining = () => draining;
  const signing = createSigning(options, resources);
  const tls = createTls(options, resources);
  const readiness = createReadiness(options, resources, { signing, tls }, isDraining);
  cleanup.push(() => readiness.stop());
  await readiness.start();
  const maintenance = createMaintenance(options, resources);
  const hooks = storeHooks(resources, maintenance);
  const { lastHeartbeatAt, ...work } = exportWork(options, resources, signing, hooks);
  const onLag = (seconds: number) => metrics.observe("export_event_loop_lag_seconds", seconds, {});
  const liveness = new Liveness({ elapsed, lastHeartbeatAt, onLag });
  cleanup.push(() => liveness.stop());
  const loop = new Loop({
    ...work,
    queue,
    now,
    elapsed,
    onFault,
    isTransient: (error) => isTransient(error) || isLost(error),
    // Nothing is started if the state directory belongs to another process or its mount was lost.
    mayStart: () => resources.lock.isHeld(),
    concurrency: config.service.concurrency,
    networkBound: networkBoundProfiles(config.profiles),
    ...options.lease === undefined ? {} : { heartbeat: options.lease / 3 },
    random: timingOf(options).random,
  });
  const onQueued = (job: Job) => (watch(job).queued(), loop.wake());
  const onCancelled = (job: Job) => {
    if (job.state === "cancelled") watch(job).ended({ state: "cancelled" }, 0);
    else loop.cancel(job.id);
  };
  const health = { liveness, readiness, isDraining, tls, ...storeDeps(resources, maintenance) };
  // Before the port opens: jobs marked as running are not of this process.
  const { givenUp, cancelled } = queue.recover();
  for (const job of givenUp) watch(job).ended({ ...job, state: "failed" }, 0);
  for (const job of cancelled) watch(job).ended({ state: "cancelled" }, 0);
  const url = await serve(options, resources, cleanup, { ...health, onQueued, onCancelled });
  loop.wake();
  cleanup.push(() => loop.stop(drain));
  maintenance.start();
  cleanup.push(() => maintenance.stop());
  const scheduler = createScheduler(options, resources, onQueued);
  scheduler.start();
  cleanup.push(() => scheduler.stop());
  log("INFO", "service.started", "service started", { url });
  return {
    url,
    alive: () => liveness.report().status === "pass",
    renew: () => {
      const body = "certificate reload requested; the configuration is only read at startup";
      log("INFO", "service.renew", body);
      tls.renew();
    },
    drain: () => {
      draining = true;
      feed.close();
      log("INFO", "service.stopping", "service stopping");
    },
  };
}

/** One app for everything, and one for operations only if it has its own address. */
async function serve(
  options: ServiceOptions,
  resources: ServiceResources,
  cleanup: Cleanup,
  { tls, ...parts }:
    & Pick<ServerDeps, "liveness" | "readiness" | "isDraining" | "onQueued" | "onCancelled">
    & Pick<ServerDeps, "store" | "damageOf">
    & { tls: Tls },
): Promise<string> {
  const { config, listen, opsListen, elapsed, state, configuration } = options;
  const { queue, timeline, feed, metrics, audit, egress, traces, onFault, log } = resources;
  const deps: ServerDeps = {
    ...{ ...parts, queue, timeline, feed, audit, egress, config, elapsed, onFault },
    build: build(),
    binary: binaryDigest(onFault),
    scrape: (openMetrics) => metrics.scrape(openMetrics),
    origin: { state, ...(configuration === undefined ? {} : { configuration }) },
    onAnswered: (...answer) => metrics.answered(...answer),
    onRefused: (reason) => metrics.count("export_requests_refused_total", { reason }),
    publicKey: () => options.signingKey.publicPem(),
    ...(traces === undefined ? {} : { trace: traces.ofRequest }),
  };
  const open = async (app: App, at: Listen) => {
    const http = await serveHttp(app, at, { tls: tls.files() });
    tls.shownBy(http);
    cleanup.push(() => http.close(2_000));
    return http.url;
  };
  if (opsListen !== undefined) {
    const url = await open(createOpsServer(deps, namesFor(opsListen, config)), opsListen);
    log("INFO", "service.operations", "operations server started", { url });
  }
  if (!isLoopback(listen.host) && tls.files() === undefined) {
    log("WARN", "service.plain", "tokens from other machines are sent unencrypted");
  }
  return await open(createServer(deps, namesFor(listen, config)), listen);
}

/** On loopback the service answers only to configured host names. */
function namesFor({ host }: Listen, { service }: Config) {
  const addresses = !isLoopback(host);
  const own = addresses ? [Deno.hostname().toLowerCase()] : [];
  return { hosts: [...service.hosts, ...own], addresses };
}

/** Read once at startup: an upgrade replaces the file while this process keeps running. */
function binaryDigest(onFault: (error: unknown) => void) {
  const path = programPath();
  if (path === undefined) return Promise.resolve(undefined);
  return digestOfFile(path).catch((error) => void onFault(error));
}
