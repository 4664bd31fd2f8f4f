/**
 * Variables that act past the program's permissions (reliability.md B2): a proxy receives every request with its
 * credentials, SSLKEYLOGFILE writes TLS secrets, others add trust or switch it off. Deno and node:tls read them on their own
 * and deleting them comes too late, so a command that uses the network refuses to run while one is set.
 */
import { type Finding, StellaError } from "../errors.ts";
import type { Environment } from "./paths.ts";
import { hostileNames } from "./permissions.ts";

/** Values that switch nothing on; our own tasks say OTEL_DENO=false. */
const harmless: Record<string, readonly string[]> = {
  DENO_TLS_CA_STORE: ["mozilla"],
  NODE_TLS_REJECT_UNAUTHORIZED: ["1"],
  NODE_USE_ENV_PROXY: ["0"],
  OTEL_DENO: ["false", "0"],
};

/** @throws StellaError usage, which names every such variable; values are not repeated, a proxy's may hold a password */
export function refuseHostileEnvironment(environment: Environment): void {
  const names = hostileNames.filter((name) => isHostile(name, environment(name)));
  if (names.length === 0) return;
  throw new StellaError("usage", `Cannot use the network while ${names.join(", ")} is set`, {
    hint: `start it without: env ${names.map((name) => `-u ${name}`).join(" ")} stella ...`,
    findings: names.map(finding),
  });
}

function isHostile(name: string, value: string | undefined): boolean {
  return value !== undefined && value !== "" && !harmless[name]?.includes(value);
}

function finding(name: string): Finding {
  return { code: "usage", reason: "hostile_environment", found: name };
}
