/** The commands about a running service, wired to what they need. */
import { requireStateDirectory } from "../config/paths.ts";
import { probeAttestation } from "../verify/probe.ts";
import type { Host } from "./host.ts";
import { runHealth } from "./health.ts";
import type { Result } from "./program.ts";
import { machineKey } from "./recipe.ts";
import { runServe, type ServeOptions } from "./serve.ts";
import { runStatus, type StatusOptions } from "./status.ts";

export function serveCommand(options: ServeOptions, host: Host): Promise<Result> {
  const signingKey = machineKey(requireStateDirectory(host.environment));
  return runServe(options, host, { attestation: () => probeAttestation(), signingKey });
}

export const statusCommand: (options: StatusOptions, host: Host) => Promise<Result> = runStatus;
export const healthCommand = runHealth;
