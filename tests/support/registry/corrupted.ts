/** A push to a registry with faults, and the faults. */
import assert from "node:assert/strict";
import { StellaError } from "../../../src/domain/errors.ts";
import type { Timeouts } from "../../../src/net/exchange.ts";
import { pushBundle, type PushReport } from "../../../src/registry/push.ts";
import { clientFor, FakeTiming, withBundle } from "./fake_bundle.ts";
import { fail, FakeRegistry, type Handler } from "./fake_registry.ts";

export interface Outcome {
  registry: FakeRegistry;
  /** Milliseconds between attempts. */
  waits: number[];
  report?: PushReport;
  error?: StellaError;
}

/** Only for the tests of silence: elsewhere a busy machine must not look like a silent registry. */
export const quick = { connect: 500, stall: 500 };
/** For those in which the registry is silent once, and then must not look so again. */
export const quickish = { connect: 30_000, stall: 2_000 };

/**
 * Pushes a bundle of `bytes` bytes to a registry with the faults of `prepare`, and lets `check`
 * inspect the result.
 */
export async function pushInto(
  prepare: (registry: FakeRegistry) => void,
  check: (outcome: Outcome) => void | Promise<void>,
  { bytes = 3072, timeouts }: { bytes?: number; timeouts?: Timeouts | undefined } = {},
): Promise<void> {
  const registry = await new FakeRegistry().start();
  const timing = new FakeTiming();
  const limits = timeouts === undefined ? {} : { timeouts };
  const client = clientFor(`http://${registry.host}`, { timing, ...limits });
  prepare(registry);
  try {
    await withBundle(async ({ dir }) => {
      const outcome: Outcome = { registry, waits: timing.waits };
      try {
        outcome.report = await pushBundle({ client, dir, repository: "exports/a", tag: "v1" });
      } catch (error) {
        assert(error instanceof StellaError, `not a StellaError: ${error}`);
        outcome.error = error;
      }
      await check(outcome);
    }, bytes);
  } finally {
    client.close();
    await registry.stop();
  }
}

/** Answers with this status and an error body. */
export function status(code: number, headers: Record<string, string> = {}): Handler {
  return (request, response) => {
    request.resume();
    fail(response, code, "UNKNOWN", "as the test wants it", headers);
  };
}

/** Reads the whole body, then answers. */
export function accepted(code: number, headers: Record<string, string>): Handler {
  return (request, response) => {
    request.resume().on("end", () => response.writeHead(code, headers).end());
  };
}

/** Sends an endless answer. */
export function endless(code: number, headers: Record<string, string> = {}): Handler {
  return (_, response) => {
    response.writeHead(code, headers);
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(64 * 1024)));
    };
    response.on("drain", more);
    more();
  };
}

/** Declares 100 bytes, sends 4, and closes the connection or stalls. */
export function half(then: "reset" | "silence"): Handler {
  return (request, response) => {
    request.resume();
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => then === "reset" && response.destroy());
  };
}

export const reset: Handler = (request) => void request.socket.destroy();
export const resetMidway: Handler = (request) =>
  void request.once("data", () => request.socket.destroy());
export const silent: Handler = (request) => void request.resume();
