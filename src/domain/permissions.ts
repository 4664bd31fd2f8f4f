/** Permissions of the process (Deno.permissions), which a command gives up before it works. */

/** The part that is needed. Injected: revoking inside a test would break the test process. */
export type Permissions = Pick<Deno.Permissions, "querySync" | "revokeSync">;

/** What a command may keep in addition to read; run, ffi and import are never kept. */
export type Permission = "net" | "write" | "env" | "sys";

/** A permission that the program starts with. */
export interface Grant {
  readonly name: "read" | Permission;
  /** Absent: unrestricted. */
  readonly values?: readonly string[];
}

/** Whether `name`, or one value of it, is granted. */
export function isGranted(permissions: Permissions, name: string, value?: string): boolean {
  const of = name === "env" ? { variable: value } : { kind: value };
  const descriptor = { name, ...value === undefined ? {} : of } as Deno.PermissionDescriptor;
  return permissions.querySync(descriptor).state === "granted";
}
