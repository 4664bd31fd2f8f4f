/** Permissions that a command has no use for, given up before its code is loaded. */
import { grants, spared } from "../config/permissions.ts";
import { StellaError } from "../errors.ts";
import type { Permissions } from "./host.ts";

/**
 * Gives up what config/permissions.ts says that `command` spares, for the rest of the process.
 * @throws StellaError internal where one of them, or one value of it, is still granted: then nothing is done
 */
export function spare(command: string, permissions: Permissions): void {
  const names = spared[command] ?? [];
  for (const name of names) permissions.revokeSync({ name });
  const kept = names.flatMap((name) => stillGranted(name, permissions));
  if (kept.length === 0) return;
  throw new StellaError("internal", `Cannot give up the permissions ${kept.join(", ")}`);
}

/** A bare name proves nothing where values were granted one by one: each is asked for. */
function stillGranted(name: "net" | "write" | "sys" | "env" | "read", permissions: Permissions) {
  const values = grants.find((grant) => grant.name === name)?.values ?? [];
  return [undefined, ...values].filter((value) => {
    const descriptor = { name, kind: value, variable: value } as Deno.PermissionDescriptor;
    return permissions.querySync(descriptor).state === "granted";
  }).map((value) => value === undefined ? name : `${name}:${value}`);
}
