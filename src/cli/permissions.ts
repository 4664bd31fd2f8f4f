/** Drops permissions that a command does not need, for the rest of the process. */
import { grants } from "../config/permissions.ts";
import { isGranted, type Permission, type Permissions } from "../domain/permissions.ts";
import type { Host } from "./host.ts";

/** Keeps read and `keep`. @throws StellaError defect if anything else is still granted */
export async function dropPermissions(
  { permissions }: Pick<Host, "permissions">,
  keep: readonly Permission[],
): Promise<void> {
  if (permissions === undefined) return;
  // Imported here: `stella version` gives nothing up, and loads no node: module.
  const { confine } = await import("../verify/confine.ts");
  confine(permissions, grants, keep);
}

/** The same before untrusted bytes are read, with a try of each operation that must be refused. */
export async function confineForBundle(
  host: Pick<Host, "permissions">,
  keep: readonly Permission[] = [],
): Promise<void> {
  if (host.permissions === undefined) return;
  await dropPermissions(host, keep);
  const { proveConfined } = await import("../verify/confine.ts");
  proveConfined(keep);
}

/** The permissions that Deno reports: those of the program's list, and unexpected ones. */
export function granted(permissions: Permissions | undefined): string[] {
  if (permissions === undefined) return [];
  const listed = grants.flatMap(({ name, values }) =>
    values === undefined
      ? isGranted(permissions, name) ? [name] : []
      : values.filter((value) => isGranted(permissions, name, value))
        .map((value) => `${name}:${value}`)
  );
  const others = ["run", "ffi", "import", "env", "sys"];
  return [...listed, ...others.filter((name) => isGranted(permissions, name))];
}
