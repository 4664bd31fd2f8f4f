/** Transient failures of an export, which is then retried automatically. */
import { StellaError } from "../domain/errors.ts";

const transientReasons: readonly string[] = ["timeout", "server_error", "reset"];

/**
 * A registry that did not respond properly. A full disk is not transient: it stays full until
 * somebody acts.
 */
export function isTransient(thrown: unknown): boolean {
  return thrown instanceof StellaError && thrown.kind === "remote" &&
    transientReasons.includes(thrown.reason);
}
