/**
 * A bundle is verified and sent concurrently: if either fails at any time, the other ends, and the
 * right reason is reported.
 */
import assert from "node:assert/strict";
import type { Manifest } from "../../src/bundle/manifest.ts";
import type { Backpressure } from "../../src/cli/backpressure.ts";
import { sendWhileVerifying } from "../../src/cli/send_while_verifying.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { RemoteError } from "../../src/net/failure.ts";
import type { Verdict } from "../../src/verify/verdict.ts";

const good = { ok: true, code: 0, bundle: { bundleDigest: "d" } } as Verdict;
const bad = { ok: false, code: 7 } as Verdict;
const never = new AbortController().signal;
/** A manifest with the given number of bytes, as far as the code under test reads it. */
const ofSize = (size: number) => ({ files: [{ size }] }) as Manifest;
const small = ofSize(100);
const large = ofSize(1024 ** 3);

/** Settles when the signal is aborted, like work that observes it. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new StellaError("interrupted", "stopped")));
  });
}

Deno.test("the sender publishes only after a good verdict", async () => {
  const steps: string[] = [];
  const { verdict, sent } = await sendWhileVerifying({
    verify: async (begin) => {
      begin(small, false);
      steps.push("verified");
      return await Promise.resolve(good);
    },
    send: async ({ approved }) => {
      steps.push("sent");
      return `published ${await approved}`;
    },
  }, never);
  assert.deepEqual([steps, verdict, sent], [["sent", "verified"], good, "published d"]);
});

Deno.test("a bundle with a refused signer is not sent", async () => {
  for (const isRefused of [true, undefined]) {
    const { verdict, sent } = await sendWhileVerifying({
      verify: (begin) => {
        if (isRefused !== undefined) begin(small, isRefused);
        return Promise.resolve(bad);
      },
      send: () => Promise.reject(new Error("it was sent")),
    }, never);
    assert.deepEqual([verdict, sent], [bad, undefined]);
  }
});

Deno.test("a bad verdict ends the sender while it sends or waits to publish", async () => {
  for (const waits of [true, false]) {
    let end: unknown;
    const { verdict, sent } = await sendWhileVerifying({
      verify: (begin) => {
        begin(small, false);
        return Promise.resolve(bad);
      },
      send: ({ approved }, stop) =>
        (waits ? approved : aborted(stop)).catch((error) => {
          end = error;
          throw error;
        }),
    }, never);
    assert.deepEqual([verdict, sent], [bad, undefined]);
    assert(end !== undefined, "the sender goes on");
  }
});

Deno.test("a failing registry ends the verification at once", async () => {
  const failure = new RemoteError("auth", "401");
  let stopped = false;
  const sending = sendWhileVerifying({
    verify: (begin, stop) => {
      begin(small, false);
      return aborted(stop).finally(() => stopped = true);
    },
    send: () => Promise.reject(failure),
  }, never);
  await assert.rejects(sending, failure);
  await Promise.resolve();
  assert(stopped, "the verification goes on");
});

const aboutBytes = [
  new RemoteError("rejected", "400 DIGEST_INVALID"),
  new StellaError("digest_mismatch", "it has 1 byte, not 2"),
  new StellaError("file_missing", "not found"),
];

Deno.test("the verdict is reported for wrong bytes, and the registry's error for correct bytes", async () => {
  for (const failure of aboutBytes) {
    const work = (verdict: Verdict) => ({
      verify: async (begin: (m: Manifest, isRefused: boolean) => void) => {
        begin(small, false);
        // The upload has failed by then: it waits only for promises, which settle before a timer
        // fires.
        await new Promise((done) => setTimeout(done, 0));
        return verdict;
      },
      send: () => Promise.reject(failure),
    });
    assert.equal((await sendWhileVerifying(work(bad), never)).verdict, bad);
    await assert.rejects(sendWhileVerifying(work(good), never), failure);
  }
});

Deno.test("an I/O error during verification ends the upload and is reported", async () => {
  const failure = new StellaError("medium_failed", "the stick is gone");
  let ended = false;
  const sending = sendWhileVerifying({
    verify: async (begin) => {
      begin(small, false);
      return await Promise.reject(failure);
    },
    send: (_, stop) => aborted(stop).finally(() => ended = true),
  }, never);
  await assert.rejects(sending, failure);
  assert(ended);
});

Deno.test("stopping the program stops verification and upload", async () => {
  const stop = new AbortController();
  const sending = sendWhileVerifying({
    verify: (begin, signal) => {
      begin(small, false);
      return aborted(signal);
    },
    send: (_, signal) => aborted(signal),
  }, stop.signal);
  stop.abort();
  await assert.rejects(sending, { kind: "interrupted" });
});

Deno.test("verification continues once the first bytes are sent, or once sending has ended", async () => {
  const mebibytes = (many: number) => many * 1024 * 1024;
  const cases: [string, (backpressure: Backpressure) => void][] = [
    ["enough for a connection", (backpressure) => backpressure.sent(mebibytes(4), mebibytes(9))],
    ["all of a small bundle", (backpressure) => backpressure.sent(200, 200)],
    ["nothing more", (backpressure) => backpressure.end()],
  ];
  for (const [name, move] of cases) {
    let isVerifying = false;
    const going = Promise.withResolvers<Backpressure>();
    const done = sendWhileVerifying({
      verify: async (begin) => {
        await begin(large, false);
        isVerifying = true;
        return good;
      },
      send: ({ approved, backpressure }) => {
        going.resolve(backpressure);
        return approved;
      },
    }, never);
    const backpressure = await going.promise;
    backpressure.sent(100, mebibytes(9));
    // Verification waits only for promises, which are all settled before a timer fires.
    await new Promise((tick) => setTimeout(tick, 0));
    assert.equal(isVerifying, false, name);
    move(backpressure);
    assert.equal((await done).sent, "d", name);
  }
});

Deno.test("the verdict on a small bundle does not wait for the registry", async () => {
  const { verdict } = await sendWhileVerifying({
    verify: async (begin) => {
      await begin(small, false);
      return bad;
    },
    send: (_, stop) => aborted(stop),
  }, never);
  assert.equal(verdict, bad);
});
