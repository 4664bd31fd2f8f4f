import { messageOf, StellaError } from "../domain/errors.ts";
import type { Permissions } from "../domain/permissions.ts";

/** Highlights text as good or bad if colors are on. */
export type Paint = (tone: "good" | "bad", text: string) => string;

/** What a command needs from its environment; main.ts creates the real one, tests their own. */
export interface Host {
  environment: (name: string) => string | undefined;
  /** Writes all, or throws what the system says; start.ts gives commands checkedOutput of it. */
  stdout: (text: string) => void;
  /** Writes what it can: nothing is thrown. */
  stderr: (text: string) => void;
  /** The service's log, on standard error; waits where the reader does not keep up. */
  writeLog: (bytes: Uint8Array) => Promise<number>;
  /** Bytes from standard input into the buffer, how many; null at the end. */
  stdin: (buffer: Uint8Array) => Promise<number | null>;
  /** Columns of the terminal on stderr; undefined where it is none. */
  columns: () => number | undefined;
  isTerminal: (stream: "stdout" | "stderr") => boolean;
  /** Colors for what is written to stdout; absent: none. */
  paint?: Paint;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Milliseconds of a clock that only grows. */
  elapsed: () => number;
  uuid: () => string;
  random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  /** Aborted by SIGINT and SIGTERM. */
  stop: AbortSignal;
  /** Calls `renew` for each SIGHUP, which else ends the process; absent without signals. */
  onHangUp?: (renew: () => void) => void;
  /** Of the process; absent where a test calls commands in its own process. */
  permissions?: Permissions;
  /** The module to start a worker of this very program from. */
  mainUrl: string;
}

/** A closed pipe is no error, as for `| head -1`. @throws StellaError io if writing fails */
export function checkedOutput(write: (text: string) => void): (text: string) => void {
  return (text) => {
    try {
      write(text);
    } catch (cause) {
      if (cause instanceof Deno.errors.BrokenPipe) return;
      const reason = messageOf(cause).replace(/ \(os error \d+\)$/, "");
      throw new StellaError("output_failed", `Cannot write to standard output: ${reason}`, {
        cause,
        hint: "free space, or send the output elsewhere",
      });
    }
  };
}
