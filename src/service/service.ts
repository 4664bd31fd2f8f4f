/**
 * The service, put together: what each room needs is handed to it here, and nothing else happens here. It starts from the
 * ground up (lock, database, checks, port, work) and stops in the opposite order; a start that fails undoes what it did.
 * The parts of the wiring lie in src/app.
 */
import { type Ground, openGround } from "./ground.ts";
import type { ServiceOptions, Undo } from "./options.ts";
import { readinessOf } from "./readiness.ts";
import { loadRooms, type Rooms } from "./rooms.ts";
import { signingOf } from "./signing.ts";
import { schedulerOf, storedIn, storeOf, upkeepOf } from "./upkeep.ts";
import { type Tls, tlsOf } from "./tls.ts";
import { exportWork, profilesOnNetwork } from "./work.ts";
import { isLoopback, type Listen } from "../config/listen.ts";
import type { Config } from "../config/load.ts";
import type { Job } from "../jobs/job.ts";
import type { ServerDeps } from "../http/deps.ts";
import { build, programPath } from "../domain/version.ts";

export type { ServiceOptions } from "./options.ts";

export interface Service {
  url: string;
  /** What /health/liveness answers. */
  alive(): boolean;
  /** Not ready at once, no new job, the running one ends or goes back to the queue. */
  stop(): Promise<void>;
  /** Reads again what can be renewed while it runs: the certificate. */
  renew(): void;
}

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
    const { drain, ...shown } = running;
    return { ...shown, stop: () => (drain(), unwind()) };
  } catch (error) {
    await unwind();
    throw error;
  }
}

/** Checks first, then the port, then the work. */
async function run(options: ServiceOptions, rooms: Rooms, ground: Ground, undo: Undo) {
  const { elapsed, now, config, drain = 60_000 } = options;
  const { queue, metrics, watch, feed, onFault, log } = ground;
  let draining = false;
  const isDraining = () => draining;
  const signing = signingOf(options, ground);
  const tls = tlsOf(options, rooms, ground);
  const readiness = readinessOf(options, rooms, ground, { signing, tls }, isDraining);
  undo.push(() => readiness.stop());
  await readiness.start();
  const upkeep = upkeepOf(options, rooms, ground);
  const { heardAt, ...work } = exportWork(
    options,
    rooms,
    ground,
    signing,
    storedIn(ground, upkeep),
  );
  const onLag = (seconds: number) => metrics.lagged(seconds);
  const liveness = new rooms.Liveness({ elapsed, workerHeardAt: heardAt, onLag });
  undo.push(() => liveness.stop());
  const mayPass = (error: unknown) => rooms.mayPass(error) || rooms.isLost(error);
  const places = config.service.concurrency;
  const loop = new rooms.Loop({
    ...work,
    queue,
    now,
    elapsed,
    onFault,
    mayPass,
    // On a state directory that is another's now, or a mount that was lost, nothing is begun.
    mayStart: () => ground.lock.isHeld(),
    places,
    patient: profilesOnNetwork(config.profiles),
    ...options.lease === undefined ? {} : { heartbeat: options.lease / 3 },
    random: Math.random,
  });
  const onQueued = (job: Job) => (watch(job).queued(), loop.wake());
  const onCancelled = (job: Job) => {
    if (job.state === "cancelled") watch(job).ended({ state: "cancelled" }, 0);
    else loop.cancel(job.id);
  };
  const health = { liveness, readiness, isDraining, tls, ...storeOf(ground, upkeep) };
  // Before the port opens: what runs according to the queue is then no job of this process.
  const { givenUp, cancelled } = queue.recover();
  for (const job of givenUp) watch(job).ended({ ...job, state: "failed" }, 0);
  for (const job of cancelled) watch(job).ended({ state: "cancelled" }, 0);
  const url = await serve(options, rooms, ground, undo, { ...health, onQueued, onCancelled });
  loop.start();
  undo.push(() => loop.stop(drain));
  upkeep.start();
  undo.push(() => upkeep.stop());
  const scheduler = schedulerOf(options, rooms, ground, onQueued);
  scheduler.start();
  undo.push(() => scheduler.stop());
  log("INFO", "service.started", "The service answers", { url });
  return {
    url,
    alive: () => liveness.report().status === "pass",
    renew: () => {
      log(
        "INFO",
        "service.renew",
        "What can be renewed is read again; the configuration is read at the start alone",
      );
      tls.renew();
    },
    drain: () => {
      draining = true;
      feed.close();
      log("INFO", "service.stopping", "The service takes no more work and stops");
    },
  };
}

/** One app for everything, and one for operations alone where an address was given for it. */
async function serve(
  options: ServiceOptions,
  rooms: Rooms,
  ground: Ground,
  undo: Undo,
  { tls, ...parts }:
    & Pick<ServerDeps, "liveness" | "readiness" | "isDraining" | "onQueued" | "onCancelled">
    & Pick<ServerDeps, "store" | "damageOf">
    & { tls: Tls },
): Promise<string> {
  const { config, listen, opsListen, elapsed, state, configuration } = options;
  const { queue, timeline, feed, metrics, audit, egress, traces, onFault, log } = ground;
  const deps: ServerDeps = {
    ...{ ...parts, queue, timeline, feed, audit, egress, config, elapsed, onFault },
    build: build(),
    binary: binaryDigest(rooms, onFault),
    scrape: (openMetrics) => metrics.scrape(openMetrics),
    origin: { state, ...(configuration === undefined ? {} : { configuration }) },
    onAnswered: (...answer) => metrics.answered(...answer),
    onRefused: (reason) => metrics.refused(reason),
    publicKey: () => options.signingKey.publicPem(),
    ...(traces === undefined ? {} : { trace: traces.ofRequest }),
  };
  if (opsListen !== undefined) {
    const ops = rooms.createOpsServer(deps, namesFor(opsListen, config));
    const http = await rooms.serveHttp(ops, opsListen, { tls: tls.files() });
    tls.shownBy(http);
    undo.push(() => http.close(2_000));
    log("INFO", "service.operations", "Operations are served apart", { url: http.url });
  }
  if (!isLoopback(listen.host) && tls.files() === undefined) {
    log("WARN", "service.plain", "Other machines send their tokens to this service in the clear");
  }
  const app = rooms.createServer(deps, namesFor(listen, config));
  const http = await rooms.serveHttp(app, listen, { tls: tls.files() });
  tls.shownBy(http);
  undo.push(() => http.close(2_000));
  return http.url;
}

/** Who can only be reached from its own machine answers to no name but those of the configuration. */
function namesFor({ host }: Listen, { service }: Config) {
  const addresses = !isLoopback(host);
  const own = addresses ? [Deno.hostname().toLowerCase()] : [];
  return { hosts: [...service.hosts, ...own], addresses };
}

/** Read once, at the start: an upgrade puts another file in its place while this one runs on. */
function binaryDigest(rooms: Rooms, onFault: (error: unknown) => void) {
  const path = programPath();
  if (path === undefined) return Promise.resolve(undefined);
  return rooms.digestOfFile(path).catch((error) => void onFault(error));
}
