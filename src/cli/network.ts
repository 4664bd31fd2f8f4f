/** Checks the environment before a command uses the network (config/hostile_environment.ts). */
import { isLoopback } from "../domain/loopback.ts";
import { ignoredWarning, refuseHostileEnvironment } from "../config/hostile_environment.ts";
import type { Host } from "./host.ts";
import type { CommonFlags } from "./command.ts";

const warned = new WeakSet<Host>();

/**
 * Reports once which variables are ignored, unless all `hostnames` are this machine.
 * @throws StellaError config if a variable is set that cannot be ignored
 */
export function checkEnvironment(
  hostnames: readonly string[],
  { quiet = false }: Pick<CommonFlags, "quiet">,
  host: Host,
): void {
  refuseHostileEnvironment(host.environment);
  if (quiet || warned.has(host) || hostnames.every(isLoopback)) return;
  const warning = ignoredWarning(host.environment);
  if (warning === undefined) return;
  warned.add(host);
  host.stderr(`warning: ${warning}\n`);
}
