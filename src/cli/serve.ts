/** `stella serve`: from the command line to a service that runs until it is stopped. */
import { resolve } from "node:path";
import { refuseHostileEnvironment } from "../config/hostile_environment.ts";
import { defaultListen, parseAddress, parseGuarded } from "../config/listen.ts";
import { type Config, loadConfig } from "../config/load.ts";
import { machineKeyPath, requireStateDirectory } from "../config/paths.ts";
import { readTls } from "../config/tls_files.ts";
import type { Service, ServiceOptions } from "../service/service.ts";
import type { Manager } from "../telemetry/notify.ts";
import type { Result } from "./command.ts";
import { stopped } from "./event_loop.ts";
import type { Host } from "./host.ts";
import { machineKey } from "../attest/sign/keys.ts";
import { probeAttestation } from "../verify/probe.ts";

type ServeFlags = { readonly [K in "config" | "listen" | "opsListen"]?: string | undefined };

export function serve(options: ServeFlags, host: Host): Promise<Result> {
  const signingKey = machineKey(machineKeyPath(requireStateDirectory(host.environment)));
  return runServe(options, host, { attestation: () => probeAttestation(), signingKey });
}

/** Serves until `host.stop` is aborted. What can be refused is refused before the lock is taken. */
export async function runServe(
  options: ServeFlags,
  host: Host,
  parts: Pick<ServiceOptions, "attestation" | "signingKey" | "drain" | "lease">,
): Promise<Result> {
  const { environment } = host;
  refuseHostileEnvironment(environment);
  const { config, ...file } = await loadConfig({ flag: options.config, environment });
  const { listen, opsListen } = addressesOf(options, environment, config);
  const { tls: files } = config.service;
  const tls = files === undefined ? undefined : () => readTls(files);
  const state = requireStateDirectory(environment);
  // Installed before the service can be reached: an early SIGHUP must not end the process.
  let renew = () => {};
  host.onHangUp?.(() => renew());
  const { startService } = await import("../service/service.ts");
  const service = await startService({
    ...parts,
    config,
    configuration: configurationOf(file),
    state,
    listen,
    opsListen,
    tls,
    environment,
    mainUrl: host.mainUrl,
    now: host.now,
    elapsed: host.elapsed,
    random: host.random,
    write: host.writeLog,
  });
  renew = service.renew;
  await untilStopped(service, host, state);
  return { json: { url: service.url }, text: "" };
}

/** Flag, otherwise variable, otherwise file. An empty variable counts as unset. */
function addressesOf(
  { listen, opsListen }: ServeFlags,
  environment: Host["environment"],
  { service, tokens }: Config,
) {
  const own = listen ?? (environment("STELLA_LISTEN") || service.listen || defaultListen);
  const ops = opsListen ?? (environment("STELLA_OPS_LISTEN") || service.opsListen);
  return {
    listen: parseGuarded(own, tokens.length),
    opsListen: ops === undefined ? undefined : parseAddress(ops),
  };
}

/** The absolute path, because readers do not know the working directory of the service. */
function configurationOf({ path, sha256 }: { path: string | undefined; sha256?: string }) {
  if (path === undefined || sha256 === undefined) return undefined;
  return { path: resolve(path), sha256 };
}

/** Notifies a service manager that is waiting; if that fails the service shuts down. */
async function untilStopped(service: Service, host: Host, directory: string): Promise<void> {
  const { environment } = host;
  let manager: Manager | undefined;
  try {
    const { openManager } = await import("../telemetry/notify.ts");
    manager = openManager({
      socket: environment("NOTIFY_SOCKET"),
      watchdog: { microseconds: environment("WATCHDOG_USEC"), pid: environment("WATCHDOG_PID") },
      directory,
      alive: () => service.alive(),
    });
    await manager.ready(`Serving ${service.url}`);
    await stopped(host);
    await manager.stopping();
  } finally {
    await service.stop();
    // Not earlier: a watchdog may still listen while a running export ends.
    manager?.close();
  }
}
