/** Permissions that a command has no use for, given up before its code is loaded; and what is then left, to be shown. */
import { StellaError } from "../domain/errors.ts";
import { type Asked, type Need, neededFor } from "../config/needed.ts";
import { grants } from "../config/permissions.ts";
import type { Permissions } from "./host.ts";

/**
 * Keeps reading and what config/needed.ts says that `command` needs, for the rest of the process.
 * @throws StellaError internal where the command has no row, or where something else is still granted: then nothing is done
 */
export async function spare(
  command: string,
  asked: Asked,
  permissions: Permissions,
): Promise<void> {
  const needed = neededFor(command, asked);
  if (needed === undefined) {
    throw new StellaError("internal", `Cannot run ${command}: nobody has said what it needs`, {
      hint: "give it a row in src/config/needed.ts",
    });
  }
  // `stella version` pays for no node: module.
  if (command !== "version") await keepOnly(permissions, needed);
}

/**
 * Gives up all but reading and what `needed` names; where a test calls a command in its own process, nothing.
 * @throws StellaError internal where something else is still granted
 */
export async function keepOnly(
  permissions: Permissions | undefined,
  needed: readonly Need[],
): Promise<void> {
  if (permissions === undefined) return;
  const { confine } = await import("../verify/confine.ts");
  confine(permissions, grants, needed);
}

/** What Deno says is allowed here and now: of the program's one list, and whatever else there should not be. */
export function granted(permissions: Permissions): string[] {
  const isGranted = (name: string, value?: string) => {
    const descriptor = { name, variable: value, kind: value } as Deno.PermissionDescriptor;
    return permissions.querySync(descriptor).state === "granted";
  };
  const listed = grants.flatMap(({ name, values }) =>
    (values ?? [undefined]).filter((value) => isGranted(name, value))
      .map((value) => value === undefined ? name : `${name}:${value}`)
  );
  const others = ["run", "ffi", "import", "env", "sys"].filter((name) => isGranted(name));
  return [...listed, ...others];
}
