/**
 * What a command does about the environment before it uses the network
 * (config/hostile_environment.ts).
 */
import { hostnameOf } from "../config/destinations.ts";
import { isThisMachine } from "../config/listen.ts";
import { ignoredWarning, refuseHostileEnvironment } from "../config/hostile_environment.ts";
import type { ExportSpec } from "../export/spec.ts";
import type { Host } from "./host.ts";
import type { CommonFlags } from "./command.ts";

const warned = new WeakSet<Host>();

/**
 * Says once what is ignored, unless all of `hostnames` are this machine.
 * @throws StellaError usage where a variable is set that cannot be ignored
 */
export function checkEnvironment(
  hostnames: readonly string[],
  { quiet = false }: Pick<CommonFlags, "quiet">,
  host: Host,
): void {
  refuseHostileEnvironment(host.environment);
  if (quiet || warned.has(host) || hostnames.every(isThisMachine)) return;
  const warning = ignoredWarning(host.environment);
  if (warning === undefined) return;
  warned.add(host);
  host.stderr(`warning: ${warning}\n`);
}

/** As `checkEnvironment`, for what an export downloads and where it publishes. @returns whether it does */
export function checkNetwork(
  { providers, targets, registries }: ExportSpec,
  options: Pick<CommonFlags, "quiet">,
  host: Host,
): boolean {
  const named = targets.flatMap((target) => "registry" in target ? target.registry : []);
  const urls = [
    ...providers.flatMap(({ url }) => url ?? []),
    ...registries.flatMap(({ name, url }) => named.includes(name) ? url : []),
  ];
  if (urls.length > 0) checkEnvironment(urls.map((url) => hostnameOf(new URL(url))), options, host);
  return urls.length > 0;
}
