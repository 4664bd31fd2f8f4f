/** A host for commands that produces no output. */
import type { Host } from "../../src/cli/host.ts";

export const host = {
  environment: () => undefined,
  stop: new AbortController().signal,
  stderr: () => {},
  columns: () => undefined,
  now: () => 0,
  elapsed: () => performance.now(),
  uuid: () => crypto.randomUUID(),
} as unknown as Host;
