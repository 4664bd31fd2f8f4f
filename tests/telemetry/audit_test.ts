import assert from "node:assert/strict";
import { Audit } from "../../src/telemetry/audit.ts";
import type { Log, LogFields } from "../../src/telemetry/log.ts";

function bench() {
  const lines: ({ event: string } & LogFields)[] = [];
  const events: unknown[] = [];
  const faults: unknown[] = [];
  const clock = { now: 0 };
  const log: Log = (_, event, __, fields) => lines.push({ event, ...fields });
  const audit = new Audit({
    log,
    timeline: { add: (of, stage, attributes) => events.push([of.exportId, stage, attributes]) },
    elapsed: () => clock.now,
    onFault: (error) => faults.push(error),
  });
  return { audit, lines, events, faults, clock };
}

const of = { exportId: "e1", profile: "p", tenant: "t", bundleDigest: "d" };

Deno.test("every action is logged and added to the timeline with the name of the token", () => {
  const { audit, lines, events } = bench();
  audit.did("queue", "ci", of);
  audit.did("cancel", "ci", of);
  audit.did("retry", "ops", of);
  audit.did("delete", "ops", of);
  assert.deepEqual(
    lines.map(({ event, actor, exportId, bundleDigest }) => [
      event,
      actor,
      exportId,
      bundleDigest,
    ]),
    [
      ["audit.queue", "ci", "e1", "d"],
      ["audit.cancel", "ci", "e1", "d"],
      ["audit.retry", "ops", "e1", "d"],
      ["audit.delete", "ops", "e1", "d"],
    ],
  );
  // The queued event is written by the export itself.
  assert.deepEqual(events, [
    ["e1", "cancelling", { actor: "ci" }],
    ["e1", "retried", { actor: "ops" }],
    ["e1", "deleted", { actor: "ops" }],
  ]);
});

Deno.test("a download file by file is a log line for each file and one event per hour", () => {
  const { audit, lines, events, clock } = bench();
  for (const path of ["a", "b", "c"]) audit.did("download", "ci", of, path);
  audit.did("download", "other", of);
  clock.now += 3_600_000;
  audit.did("download", "ci", of, "a");
  assert.deepEqual(lines.map(({ actor, path }) => [actor, path]), [
    ["ci", "a"],
    ["ci", "b"],
    ["ci", "c"],
    ["other", undefined],
    ["ci", "a"],
  ]);
  assert.deepEqual(events.length, 3);
});

Deno.test("logging of requests without a token is limited and does not suppress others", () => {
  const { audit, lines, clock } = bench();
  const nobody = { status: 401, method: "GET", route: "/v1/exports" } as const;
  for (let n = 0; n < 100; n++) audit.refused(nobody);
  assert.equal(lines.length, 60);
  audit.refused({ ...nobody, status: 403, actor: "ci" });
  assert.deepEqual([lines.length, lines.at(-1)?.actor, lines.at(-1)?.status], [61, "ci", "403"]);
  clock.now += 60_000;
  audit.refused(nobody);
  assert.deepEqual(lines.slice(61).map(({ event, count }) => [event, count]), [
    ["audit.left", 40],
    ["audit.refused", undefined],
  ]);
});

Deno.test("a timeline that cannot be written is a fault, and the action is still logged", () => {
  const { lines, faults } = bench();
  const audit = new Audit({
    log: (_, event) => lines.push({ event }),
    timeline: {
      add: () => {
        throw new Error("disk is full");
      },
    },
    elapsed: () => 0,
    onFault: (error) => faults.push(error),
  });
  audit.did("cancel", "ci", of);
  assert.deepEqual([lines.length, faults.length], [1, 1]);
});
