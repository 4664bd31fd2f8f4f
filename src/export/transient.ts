/** Which failures of an export may be gone a little later, so that it is tried again by itself. */
import { StellaError } from "../domain/errors.ts";

const transientReasons: readonly string[] = ["timeout", "server_error", "reset"];

/** A registry that did not answer as it should. A full disk is no such thing: it stays full until somebody acts. */
export function isTransient(thrown: unknown): boolean {
  return thrown instanceof StellaError && thrown.kind === "remote" &&
    transientReasons.includes(thrown.reason);
}
