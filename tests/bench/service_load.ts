/** Many jobs, many clients, many tenants: rows L1, L2 and L6 of the test plan. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Home, Service } from "../support/program.ts";
import {
  ask,
  drained,
  metric,
  pause,
  probe,
  resident,
  say,
  submit,
  times,
  tinyHome,
  together,
  withService,
} from "./service_client.ts";

export async function load(count: number): Promise<void> {
  await withService(async (service, home) => {
    const [answers, ids]: [number[], string[]] = [[], []];
    const stop = { now: false };
    const live = probe(service, "/health/liveness", stop);
    let [left, early] = [count, NaN];
    await together(16, async () => {
      if (left-- <= 0) return false;
      const { status, milliseconds, body } = await submit(service);
      assert.equal(status, 202);
      answers.push(milliseconds);
      ids.push(body.id);
      if (ids.length === Math.min(1_000, count / 10)) early = await resident(service);
      return true;
    });
    say(`enqueue: ${times(answers)}`);
    say(
      `memory: ${early.toFixed(0)} MiB at first, ${
        (await resident(service)).toFixed(0)
      } at ${count}`,
    );
    const started = performance.now();
    await drained(service);
    const cpu = await metric(service, "process_cpu_seconds_total");
    const seconds = (performance.now() - started) / 1000;
    say(
      `drained in ${seconds.toFixed(0)} s; ${
        (cpu / count).toFixed(3)
      } s of processor for each export`,
    );
    stop.now = true;
    say(`liveness: ${times(await live)}`);
    assert.equal(
      await metric(service, 'export_jobs_total{profile="tiny",result="success"}'),
      count,
    );
    await service.stop();
    const asked = new Set(ids);
    for (const { id, steps } of storedEnds(home)) {
      assert.deepEqual(steps, "queued 1, started 1, succeeded 1", id);
      asked.delete(id);
    }
    assert.equal(asked.size, 0, "none is lost");
    say(`${count} jobs: each started and ended once`);
  });
}

/**
 * The jobs that succeeded, and how often each was queued, started and ended, as the database of a
 * stopped service has it.
 */
function storedEnds(home: Home): { id: string; steps: string }[] {
  const database = new DatabaseSync(join(home.state, "stella.db"), { readOnly: true });
  try {
    const steps = database.prepare(
      `SELECT export_id AS id, group_concat(stage || ' ' || times, ', ' ORDER BY stage) AS steps FROM (
        SELECT export_id, stage, count(*) AS times FROM events
        WHERE stage IN ('queued', 'started', 'succeeded') GROUP BY export_id, stage
      ) JOIN jobs ON jobs.id = export_id AND jobs.state = 'succeeded' GROUP BY export_id`,
    );
    return steps.all() as { id: string; steps: string }[];
  } finally {
    database.close();
  }
}

export async function clients(seconds: number): Promise<void> {
  await withService(async (service) => {
    await crowd(service, 64, seconds);
    await crowd(service, 512, Math.min(20, seconds));
  });
  say("with maxRequests 16 and maxQueued 500:");
  const bounds = "service: { maxRequests: 16, maxQueued: 500 }\n";
  await withService(
    (service) => crowd(service, 512, Math.min(20, seconds)),
    tinyHome("", bounds),
  );
}

/**
 * So many clients that ask without a pause to speak of: every answer is one, and who is refused is
 * told when to come back.
 */
async function crowd(service: Service, count: number, seconds: number): Promise<void> {
  const [answers, statuses]: [number[], Map<number, number>] = [[], new Map()];
  const end = performance.now() + seconds * 1_000;
  let failed = 0;
  await together(count, async (client) => {
    try {
      const { status, milliseconds, retryAfter } = client % 4 === 0
        ? await submit(service)
        : await ask(`${service.url}${client % 2 === 0 ? "/v1/exports?limit=20" : "/status"}`);
      answers.push(milliseconds);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status >= 429) assert.match(retryAfter ?? "", /^\d+$/, String(status));
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      failed++;
    }
    await pause(20);
    return performance.now() < end;
  });
  say(
    `${count} clients: ${times(answers)}; ${
      JSON.stringify([...statuses])
    }, ${failed} without answer`,
  );
  say(`memory ${(await resident(service)).toFixed(0)} MiB`);
  assert.equal(failed, 0);
  assert.ok([...statuses.keys()].every((status) => status < 500 || status === 503 && count > 64));
}

export async function fair(): Promise<void> {
  await withService(async (service) => {
    for (let n = 0; n < 5_000; n++) assert.equal((await submit(service, "a")).status, 202);
    const { body } = await submit(service, "b");
    const asked = performance.now();
    const state = async () => (await ask(`${service.url}/v1/exports/${body.id}`)).body.state;
    while (await state() === "queued") await pause(5);
    const waiting = await metric(service, "export_queue_depth");
    say(
      `started after ${
        (performance.now() - asked).toFixed(0)
      } ms, while ${waiting} of the other tenant waited`,
    );
    assert.ok(waiting > 3_000);
  });
}
