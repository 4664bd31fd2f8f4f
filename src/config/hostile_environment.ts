/**
 * Environment variables that act regardless of the program's permissions. Those that are common on
 * company machines (proxies, NODE_EXTRA_CA_CERTS) have no effect, because the transport sets
 * authorities and uses no proxy: they are ignored with a warning. Deno obeys the others before the
 * program starts (SSLKEYLOGFILE exposes TLS secrets), so commands that use the network refuse to
 * run.
 */
import { finding, StellaError } from "../domain/errors.ts";
import type { Environment } from "./paths.ts";
import { ignoredNames, refusedNames } from "./permissions.ts";

/** Values without effect; our own tasks set OTEL_DENO=false. */
const harmless: Record<string, readonly string[]> = {
  DENO_TLS_CA_STORE: ["mozilla"],
  NODE_TLS_REJECT_UNAUTHORIZED: ["1"],
  NODE_USE_ENV_PROXY: ["0"],
  OTEL_DENO: ["false", "0"],
};

/** @throws StellaError usage naming every such variable; values are not repeated */
export function refuseHostileEnvironment(environment: Environment): void {
  const names = refusedNames.filter((name) => isSet(name, environment(name)));
  if (names.length === 0) return;
  const reason = "hostile_environment";
  throw new StellaError(reason, `Cannot use the network while ${names.join(", ")} is set`, {
    hint: `unset it: env ${names.map((name) => `-u ${name}`).join(" ")} stella ...`,
    findings: names.map((found) => finding(reason, { found })),
  });
}

/**
 * A warning that names every ignored variable; values are not repeated, because a proxy's may
 * contain a password.
 */
export function ignoredWarning(environment: Environment): string | undefined {
  const names = ignoredNames.filter((name) => isSet(name, environment(name)));
  if (names.length === 0) return undefined;
  return `${names.join(", ")} ignored: stella connects directly, and trusts the system's ` +
    "certificate authorities or those of --ca FILE (ca in the configuration)";
}

function isSet(name: string, value: string | undefined): boolean {
  return value !== undefined && value !== "" && !harmless[name]?.includes(value);
}
