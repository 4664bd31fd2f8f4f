/**
 * The egress rule of commands. On a sealed site `egress.allow` of the configuration is all that may
 * be connected to: registries that are named on the command line, the token servers and redirects
 * that a registry names, downloads. Elsewhere all may be.
 */
import { isName } from "../domain/names.ts";
import { pathFault } from "../domain/paths.ts";
import { type EgressPolicy, egressPolicy } from "../domain/egress.ts";
import { loadConfig } from "../config/load.ts";
import type { Host } from "./host.ts";
import type { CommonOptions } from "./program.ts";

/** @throws StellaError usage where the configuration has faults */
export async function sitePolicy(flags: CommonOptions, host: Host): Promise<EgressPolicy> {
  const where = { flag: flags.config, environment: host.environment };
  const { config } = await loadConfig(where, { isName, pathFault });
  return egressPolicy(config.egress);
}
