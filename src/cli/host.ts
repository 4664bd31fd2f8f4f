/** What the process lends to a command; main.ts makes the real one, tests make their own. */
export interface Host {
  environment: (name: string) => string | undefined;
  /**
   * Writes all of it.
   * @throws what the system says; to commands start.ts lends checkedOutput of it
   */
  stdout: (text: string) => void;
  /** Writes what it can: nothing is thrown. */
  stderr: (text: string) => void;
  /** Bytes from standard input into the buffer, how many; null at the end. */
  stdin: (buffer: Uint8Array) => Promise<number | null>;
  /** Columns of the terminal on stderr; undefined where it is none. */
  columns: () => number | undefined;
  /** Milliseconds since 1970. */
  now: () => number;
  uuid: () => string;
  /** Aborted by SIGINT and SIGTERM. */
  stop: AbortSignal;
  /** Has `renew` called for each SIGHUP, which ends the process where nobody asks for it; absent where there are no such signals. */
  onHangUp?: (renew: () => void) => void;
  /** The process's permissions, which a command can give up for good; absent where a test calls commands in its own process. */
  permissions?: Permissions;
  /** The module to start a worker of this very program from. */
  mainUrl: string;
}

/** The part of Deno.permissions that giving up needs. */
export interface Permissions {
  revokeSync(descriptor: Deno.PermissionDescriptor): Deno.PermissionStatus;
  querySync(descriptor: Deno.PermissionDescriptor): Deno.PermissionStatus;
}
