/**
 * A service that is killed, or kept busy for long, or held up by its clients: rows F2, L5 and A5 of
 * the test plan.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gaveUp } from "../../src/jobs/job_queue.ts";
import type { Service } from "../support/program.ts";
import {
  ask,
  drained,
  endings,
  metric,
  pause,
  probe,
  quantile,
  resident,
  say,
  submit,
  times,
  tinyHome,
  together,
  withService,
} from "./service_client.ts";

/** What a slow client sends and then says no more, and the seconds in which it has to be let go. */
const slowKinds: [name: string, text: string, limit: number][] = [
  ["header", "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n", 10],
  [
    "body",
    "POST /v1/exports HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
    30,
  ],
  ["idle", "GET /health/liveness HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 65],
];

export async function kill(count: number): Promise<void> {
  const home = tinyHome();
  const asked = new Set<string>();
  const ended = new Map<string, number>();
  let logs = "";
  const note = (service: Service) => {
    logs += service.log;
    for (const [id, times] of endings(service).ended) ended.set(id, (ended.get(id) ?? 0) + times);
  };
  const restarts: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    const service = await home.serve();
    restarts.push(performance.now() - began);
    const loads = together(4, async (client) => {
      const answer = await submit(service, client % 2 === 0 ? "a" : "b").catch(() => undefined);
      if (answer?.status === 202) asked.add(answer.body.id);
      return answer !== undefined && await pause(100).then(() => true);
    });
    await pause(200 + Math.random() * 1_500);
    await service.stop("SIGKILL");
    await loads;
    note(service);
  }
  const last = await home.serve();
  const doomed = new Set<string>();
  try {
    await drained(last);
    const digests = new Set<string>();
    for (const id of asked) {
      const { body } = await ask(`${last.url}/v1/exports/${id}`);
      if (body.state === "succeeded") digests.add(`${body.tenant} ${body.bundleDigest}`);
      else {
        // It was killed as often as an export is tried: that is told, and it is not lost.
        assert.deepEqual([body.state, body.error?.message], ["failed", gaveUp.message], id);
        doomed.add(`${body.state} ${body.error?.message}`);
      }
    }
    say(
      `${count} kills, ${asked.size} exports, ${digests.size} digests of two tenants, restart ${
        times(restarts)
      }`,
    );
    say(`not succeeded: ${[...doomed].join("; ") || "none"}`);
    assert.equal(digests.size, 2, "every bundle of a tenant is the same");
    const check = await ask(`${last.url}/health/readiness`);
    assert.equal(check.status, 200);
  } finally {
    await last.stop();
    note(last);
  }
  const twice = [...ended].filter(([, times]) => times > 1);
  assert.deepEqual(twice, [], "nothing ended twice");
  assert.deepEqual([...Deno.readDirSync(join(home.state, "tmp"))], [], "nothing is left behind");
  say(`log lines: ${logs.split("\n").length}`);
  home.remove();
}

export async function soak(seconds: number): Promise<void> {
  await withService(async (service, home) => {
    const look = async () => ({
      descriptors: [...Deno.readDirSync(`/proc/${service.child.pid}/fd`)].length,
      series: String((await ask(`${service.url}/metrics`)).body).split("\n").length,
    });
    // Memory settles with the work that was done, not with the time that went by: after some 1,500
    // exports.
    const warm = await burst(service, 3 * seconds) + await mix(service, seconds / 20);
    // Both times calm: connections that the clients keep are ended after 5 s.
    const calmed = () => drained(service).then(() => pause(6_000));
    await calmed();
    const before = await look();
    const began = performance.now();
    const second = () => (performance.now() - began) / 1_000;
    const mixed = mix(service, seconds);
    const samples: { second: number; memory: number }[] = [];
    while (second() < seconds) {
      await pause(250);
      samples.push({ second: second(), memory: await resident(service) });
    }
    const asked = warm + await mixed;
    await calmed();
    const wal = Deno.statSync(join(home.state, "stella.db-wal")).size / 2 ** 20;
    const calm = lows(samples);
    say(`memory without workers: ${calm.map(({ memory }) => memory.toFixed(0)).join(" ")} MiB`);
    if (calm.length > 5) say(`that is ${slope(calm).toFixed(2)} MiB in 10 minutes`);
    const after = await look();
    say(`${JSON.stringify(before)} and at last ${JSON.stringify(after)}`);
    const done = await metric(service, 'export_jobs_total{profile="tiny",result="success"}');
    say(`WAL ${wal.toFixed(1)} MiB, ${done} exports`);
    assert.equal(after.series, before.series, "no series is made by work");
    assert.ok(Math.abs(after.descriptors - before.descriptors) <= 2, "no descriptor is left open");
    assert.ok(wal <= 64);
    const { started, ended } = endings(service);
    assert.deepEqual([started.size, ended.size, done], [asked, asked, asked], "none is lost");
    assert.deepEqual([...ended].filter(([, times]) => times > 1), [], "nothing ended twice");
  });
}

/** So many exports as fast as they are taken. @returns how many were */
async function burst(service: Service, count: number): Promise<number> {
  let left = count;
  let taken = 0;
  await together(4, async () => {
    const { status } = await submit(service, "a");
    taken += Number(status === 202);
    return --left >= 4;
  });
  await drained(service);
  return taken;
}

/**
 * An export every second or so, lists and health in between. @returns how many exports were taken
 */
async function mix(service: Service, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let asked = 0;
  await together(3, async (client) => {
    if (client === 0) asked += Number((await submit(service, "a")).status === 202);
    else await ask(`${service.url}${client === 1 ? "/v1/exports" : "/health/readiness"}`);
    await pause(client === 0 ? 600 : 100);
    return performance.now() < end;
  });
  return asked;
}

/** The lowest of each half minute: a worker comes and goes with its memory. */
function lows(samples: readonly { second: number; memory: number }[]) {
  const windows = Map.groupBy(samples, (one) => Math.floor(one.second / 30));
  return [...windows.values()].map((window) =>
    window.reduce((low, one) => one.memory < low.memory ? one : low)
  );
}

/**
 * MiB per ten minutes: the median of the slopes between any two samples (Theil and Sen), which a
 * collection now and then does not tilt.
 */
function slope(samples: readonly { second: number; memory: number }[]): number {
  const slopes = samples.flatMap((one, i) =>
    samples.slice(i + 1).map((two) => (two.memory - one.memory) / (two.second - one.second) * 600)
  );
  return quantile(slopes, 0.5);
}

/** Longer than a lease, and than the watchdog of the unit. */
export async function stop(seconds: number): Promise<void> {
  const home = tinyHome(`  large: { kind: files, sources: [{ files: "/nonexistent" }] }\n`);
  const large = join(home.path, "large");
  const config = join(home.state, "stella.yaml");
  Deno.writeTextFileSync(config, Deno.readTextFileSync(config).replace("/nonexistent", large));
  Deno.mkdirSync(large);
  Deno.createSync(join(large, "zeros")).truncateSync(4 * 2 ** 30);
  await withService(async (service) => {
    const running = await submit(service, "a", undefined, "large");
    const waiting = await submit(service, "b");
    while (await metric(service, "export_jobs_running") === 0) await pause(20);
    await pause(500);
    service.child.kill("SIGSTOP");
    await pause(seconds * 1_000);
    service.child.kill("SIGCONT");
    await drained(service);
    for (const { body } of [running, waiting]) {
      const { state } = (await ask(`${service.url}/v1/exports/${body.id}`)).body;
      const { started, ended } = endings(service);
      const times = [started.get(body.id), ended.get(body.id)];
      say(`stopped for ${seconds} s: ${state}, started and ended ${times}`);
      assert.deepEqual([state, ...times], ["succeeded", 1, 1]);
    }
  }, home);
}

export async function slow(count: number): Promise<void> {
  await withService(async (service) => {
    const port = Number(new URL(service.url).port);
    const stop = { now: false };
    const healthy = probe(service, "/health/liveness", stop);
    const ended = await Promise.all(Array.from({ length: count }, async (_, n) => {
      const [name, text, limit] = slowKinds[n % slowKinds.length]!;
      const started = performance.now();
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(new TextEncoder().encode(text));
      for await (const _ of connection.readable);
      const seconds = (performance.now() - started) / 1_000;
      assert.ok(seconds <= limit, `${name} held for ${seconds} s`);
      return { name, seconds };
    }));
    stop.now = true;
    for (const [kind] of slowKinds) {
      const seconds = ended.filter(({ name }) => name === kind).map((one) => one.seconds);
      say(`${kind}: ${seconds.length} let go after at most ${Math.max(...seconds).toFixed(1)} s`);
    }
    say(`healthy: ${times(await healthy)}`);
  });
}
