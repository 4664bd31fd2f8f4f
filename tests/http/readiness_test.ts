import assert from "node:assert/strict";
import { Liveness } from "../../src/http/liveness.ts";
import {
  type Check,
  type CheckResult,
  type CheckState,
  Readiness,
  type ReadinessOptions,
} from "../../src/http/readiness.ts";
import { Changes } from "../support/changes.ts";

const check = (name: string, run: Check["run"], limit = 1_000): Check => ({ name, limit, run });

class Bench {
  elapsed = 0;
  draining = false;
  rounds: (readonly CheckState[])[] = [];
  readonly #changes = new Changes();
  readonly readiness: Readiness;

  constructor(checks: Check[], more: Partial<ReadinessOptions> = {}) {
    this.readiness = new Readiness({
      checks,
      now: () => 7_000,
      elapsed: () => this.elapsed,
      isDraining: () => this.draining,
      ...more,
      onRound: (states) => {
        this.rounds.push(states);
        more.onRound?.(states);
        this.#changes.changed();
      },
    });
  }

  words(): string[] {
    return this.readiness.report().checks.map(({ name, status }) => `${name} ${status}`);
  }

  async until(rounds: number): Promise<void> {
    await this.#changes.until(() => this.rounds.length >= rounds);
  }

  [Symbol.dispose](): void {
    this.readiness.stop();
  }
}

Deno.test("the start waits for the first round of checks, and a failure in it counts at once", async () => {
  using bench = new Bench([
    check("a", () => ({ status: "pass" })),
    check("b", () => {
      throw new Error("no such disk");
    }),
  ]);
  await bench.readiness.start();
  assert.deepEqual(bench.words(), ["a pass", "b fail", "drain pass"]);
  assert.equal(bench.readiness.report().status, "fail");
  assert.deepEqual(bench.rounds[0]?.[1], {
    name: "b",
    status: "fail",
    output: "no such disk",
    time: 7_000,
  });
});

Deno.test("the service is not ready before the first round of checks", () => {
  using bench = new Bench([]);
  assert.equal(bench.readiness.report().status, "fail");
});

Deno.test("readiness requests run no probes", async () => {
  let probes = 0;
  using bench = new Bench([check("a", () => {
    probes++;
    return { status: "pass" };
  })]);
  await bench.readiness.start();
  for (let n = 0; n < 1_000; n++) bench.readiness.report();
  assert.equal(probes, 1);
});

Deno.test("two consecutive failures make a check fail, one success makes it pass", async () => {
  const results: CheckResult[] = (["pass", "fail", "pass", "fail", "fail", "pass"] as const)
    .map((status) => ({ status, output: status }));
  const seen: string[] = [];
  using bench = new Bench([check("a", () => results.shift() ?? { status: "pass" })], {
    interval: 1,
    onRound: (states) => seen.push(`${states[0]?.status}: ${states[0]?.output}`),
  });
  await bench.readiness.start();
  await bench.until(6);
  assert.deepEqual(seen.slice(0, 6), [
    "pass: pass",
    "warn: failed once: fail",
    "pass: pass",
    "warn: failed once: fail",
    "fail: fail",
    "pass: pass",
  ]);
});

Deno.test("a check that exceeds its time fails as timed out and is aborted", async () => {
  let asked: AbortSignal | undefined;
  const hang = (signal: AbortSignal) => {
    asked = signal;
    return new Promise<never>(() => {});
  };
  using bench = new Bench([
    check("a", hang, 5),
    { ...check("registry:site", hang, 5), late: "warn" },
  ]);
  await bench.readiness.start();
  assert.deepEqual(bench.words(), ["a fail", "registry:site warn", "drain pass"]);
  assert.equal(bench.rounds[0]?.[0]?.output, "no response in 5 ms");
  assert.equal(asked?.aborted, true);
});

Deno.test("a warning is shown and leaves the service ready", async () => {
  using bench = new Bench([check("a", () => ({ status: "warn" }))]);
  await bench.readiness.start();
  assert.equal(bench.readiness.report().status, "warn");
});

Deno.test("a stopping service is not ready at once, without another round", async () => {
  using bench = new Bench([check("a", () => ({ status: "pass" }))]);
  await bench.readiness.start();
  assert.equal(bench.readiness.report().status, "pass");
  bench.draining = true;
  assert.equal(bench.readiness.report().status, "fail");
  assert.equal(bench.rounds.length, 1);
});

Deno.test("outdated results make the service not ready", async () => {
  using bench = new Bench([check("a", () => ({ status: "pass" }))]);
  await bench.readiness.start();
  bench.elapsed = 30_000;
  assert.equal(bench.readiness.report().status, "pass");
  bench.elapsed = 30_001;
  assert.deepEqual(bench.words(), ["a pass", "drain pass", "checks:age fail"]);
});

Deno.test("checks are excluded by name or by component", async () => {
  const failing = () => ({ status: "fail" as const });
  using bench = new Bench([check("registry:a", failing), check("registry:b", failing)]);
  await bench.readiness.start();
  assert.equal(bench.readiness.report(["registry:a"]).status, "fail");
  assert.equal(bench.readiness.report(["registry"]).status, "pass");
});

Deno.test("liveness fails if the event loop is blocked or a worker is silent", () => {
  let elapsed = 0;
  let heardAt: number | undefined;
  const liveness = new Liveness({ elapsed: () => elapsed, lastHeartbeatAt: () => heardAt });
  try {
    assert.deepEqual(liveness.report(), { status: "pass" });
    elapsed = 30_001;
    assert.deepEqual(liveness.report(), { status: "fail", output: "event loop stalled" });
    elapsed = 30_000;
    heardAt = -330_001;
    assert.deepEqual(liveness.report(), { status: "fail", output: "worker silent" });
    heardAt = undefined;
    assert.deepEqual(liveness.report(), { status: "pass" });
  } finally {
    liveness.stop();
  }
});

Deno.test("a first failure is checked again at once, not after a whole interval", async () => {
  const seen: (string | undefined)[] = [];
  const changes = new Changes();
  const readiness = new Readiness({
    checks: [check("a", () => ({ status: seen.length === 0 ? "pass" : "fail" }))],
    now: () => 0,
    // The second round is due at once, and a third one, in which it would fail again, in an hour.
    elapsed: () => seen.length === 0 ? 0 : 3_600_000,
    isDraining: () => false,
    onRound: ([state]) => {
      seen.push(state?.status);
      changes.changed();
    },
    interval: 3_600_000,
    confirm: 1,
  });
  await readiness.start();
  await changes.until(() => seen.length >= 3).finally(() => readiness.stop());
  assert.deepEqual(seen, ["pass", "warn", "fail"]);
});
