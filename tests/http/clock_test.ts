/**
 * A service whose clock is set by a day and by ten years while it runs: row F9 of the test plan.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home, type Service } from "../support/service_process.ts";

const day = 86_400_000;
const years = 3_652 * day;

/** Every number in the service's answers, with its path. */
function numbersIn(value: unknown, path = ""): [string, number][] {
  if (typeof value === "number") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => numbersIn(one, `${path}/${name}`));
}

/** All current counts and durations. */
async function noneNegative(service: Service, when: string): Promise<void> {
  const { body } = await service.get("/metrics");
  const values = [...body.matchAll(/^([^#\s]\S*) (\S+)$/gm)];
  assert.ok(values.length > 100);
  for (const [, series, value] of values) {
    assert.ok(Number(value) >= 0, `${when}: ${series} ${value}`);
  }
  for (const path of ["/health/readiness", "/status", "/v1/exports", "/v1/timeline"]) {
    const { body } = await service.get(path);
    for (const [at, value] of numbersIn(body)) {
      assert.ok(value >= 0, `${when}: ${path}${at} ${value}`);
    }
  }
}

Deno.test("setting the clock during exports makes no duration negative or too long and changes no order", async () => {
  using home = new Home();
  const clock = join(home.path, "clock");
  const set = (offset: number) => writeFileSync(clock, String(offset));
  set(0);
  const service = await home.startWith({ clock });
  const asked: string[] = [];
  try {
    for (const offset of [day, -day, years, -years, 0]) {
      const when = `${offset / day} days`;
      home.closeGate();
      const id = await service.enqueue("gated");
      await service.until(id, "running");
      const waiting = await service.enqueue("quick");
      asked.push(id, waiting);
      set(offset);
      await noneNegative(service, when);
      home.openGate();
      assert.equal((await service.until(id, "succeeded", "failed")).state, "succeeded", when);
      assert.equal((await service.until(waiting, "succeeded", "failed")).state, "succeeded", when);
      await noneNegative(service, when);
    }
    const { body } = await service.get("/v1/exports");
    assert.deepEqual(body.items.map((one: { id: string }) => one.id), asked.toReversed());
    assert.deepEqual(asked.toSorted(), asked, "ids of bundles sort as they were asked for");
    const events = (await service.get("/v1/timeline?limit=500")).body.items;
    const ended = events.filter((one: { stage: string }) => one.stage === "succeeded");
    assert.deepEqual(ended.map((one: { exportId: string }) => one.exportId), asked);
    assert.equal(home.runs().length, 2 * asked.length, "nothing ran twice");
  } finally {
    assert.equal(await service.stop(), 0);
  }
  for (const line of service.lines()) {
    for (const [at, value] of numbersIn(line)) {
      // Far above what an export takes here, far below a day.
      const max = at === "/durationMs" ? 600_000 : Infinity;
      assert.ok(value >= 0 && value < max, `${line.event}${at} ${value}`);
    }
  }
});

Deno.test("a service that starts with its clock set back continues its exports in order", async () => {
  using home = new Home();
  const clock = join(home.path, "clock");
  writeFileSync(clock, String(years));
  const first = await home.startWith({ clock });
  const running = await first.enqueue("gated");
  const waiting = await first.enqueue("quick");
  await first.until(running, "running");
  await first.stop("SIGKILL");
  home.openGate();
  writeFileSync(clock, "0");
  const second = await home.startWith({ clock });
  try {
    const later = await second.enqueue("quick");
    for (const id of [running, waiting, later]) {
      assert.equal((await second.until(id, "succeeded", "failed")).state, "succeeded");
    }
    await noneNegative(second, "after a restart");
    const { body } = await second.get("/v1/exports");
    assert.deepEqual(body.items.map((one: { id: string }) => one.id), [later, waiting, running]);
    assert.ok(waiting < later);
  } finally {
    assert.equal(await second.stop(), 0);
  }
});
