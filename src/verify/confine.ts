/**
 * Drops every permission that verification does not need, before the first untrusted byte is read.
 * Revocation is process-wide, and querying a bare name proves nothing (`env` answers "prompt" while
 * `env:HOME` is granted), so each grant of the program is queried by itself and then one operation
 * of each kind is tried.
 */
import { statfsSync, statSync } from "node:fs";
import { StellaError } from "../domain/errors.ts";
import { type Grant, isGranted, type Permission, type Permissions } from "../domain/permissions.ts";

const given = ["write", "net", "env", "run", "ffi", "sys", "import"] as const;

/** Keeps read and what `keep` names. @throws StellaError defect if anything else stays granted */
export function confine(
  permissions: Permissions,
  grants: readonly Grant[],
  keep: readonly Permission[] = [],
): void {
  const names = given.filter((name) => !keep.some((one) => one === name));
  for (const name of names) permissions.revokeSync({ name });
  const kept = stillGranted(permissions, grants, names);
  if (kept.length === 0) return;
  throw new StellaError("permissions_kept", `Cannot give up the permissions ${kept.join(", ")}`, {
    hint:
      "run the released binary, or the task `stella`, with the permissions that it is built with",
  });
}

function stillGranted(
  permissions: Permissions,
  grants: readonly Grant[],
  names: readonly string[],
): string[] {
  const bare = names.filter((name) => isGranted(permissions, name));
  const single = grants.filter(({ name }) => names.includes(name)).flatMap((
    { name, values = [] },
  ) =>
    values.filter((value) => isGranted(permissions, name, value)).map((value) => `${name}:${value}`)
  );
  return [...bare, ...single];
}

/** Tries what must now be refused, and harms nothing. @throws StellaError defect if one succeeds */
export function proveConfined(keep: readonly Permission[] = []): void {
  const attempts: [string, () => unknown][] = [
    ["env", () => Deno.env.get("HOME")],
    ["sys", () => statfsSync("/")],
    ["write", () => Deno.writeTextFileSync("/dev/null", "")],
    ["net", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()],
    ["run", () => new Deno.Command("/bin/true").outputSync()],
  ];
  for (const [name, attempt] of attempts) {
    if (keep.some((one) => one === name)) continue;
    try {
      // With `--ignore-env` a variable reads as undefined; only a value is a leak.
      if (attempt() === undefined && name === "env") continue;
    } catch {
      continue;
    }
    const text = `Cannot verify: ${name} is still allowed after it was given up`;
    throw new StellaError("permissions_kept", text);
  }
  try {
    statSync("/");
  } catch (cause) {
    throw new StellaError("permissions_kept", "Cannot verify: reading was given up too", { cause });
  }
}
