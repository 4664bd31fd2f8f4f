/**
 * `deno run -A tests/bench/service.ts NAME [COUNT]`: the rows of reliability.md that need a service under load. STELLA_BINARY names
 * the program, else it runs from its source. Each prints its figures, and fails where something was lost or done twice.
 *
 * queue          enqueue, claim, restart and figures at 1,000, 10,000 and 100,000 jobs
 * load [10000]   L1: 16 clients queue so many, then all are done
 * clients [60]   L2: 64 clients for so many seconds, then 512
 * fair           L6: one job of a tenant behind 5,000 of another
 * kill [50]      F2: so many kill -9 at random times under load
 * soak [600]     L5: a steady mix for so many seconds
 * latency [1024] health and metrics while two exports of so many MiB run
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Queue } from "../../src/jobs/queue.ts";
import type { Home, Service } from "../program.ts";
import {
  ask,
  endings,
  metric,
  pause,
  probe,
  resident,
  say,
  submit,
  times,
  tinyHome,
  together,
} from "./service_client.ts";

async function withService(
  body: (service: Service, home: Home) => Promise<void>,
  home = tinyHome(),
) {
  const service = await home.serve();
  try {
    await body(service, home);
  } finally {
    await service.stop();
    home.remove();
  }
}

async function drained(service: Service, watch = () => {}): Promise<void> {
  const waiting = async () =>
    await metric(service, "export_queue_depth") + await metric(service, "export_jobs_running");
  for (let left = await waiting(); left > 0; left = await waiting()) {
    watch();
    await pause(200);
  }
}

function queue(): void {
  for (const count of [1_000, 10_000, 100_000]) {
    const directory = Deno.makeTempDirSync({ prefix: "stella-bench-" });
    let ids = 0;
    const open = () =>
      new Queue(join(directory, "stella.db"), { now: Date.now, newId: () => `id-${++ids}` });
    const timed = (body: () => void) => {
      const started = performance.now();
      body();
      return performance.now() - started;
    };
    let queue = open();
    const add = (n: number) => queue.enqueue({ tenant: `t${n % 3}`, profile: "p", request: {} });
    const enqueue = timed(() => {
      for (let n = 0; n < count; n++) add(n);
    });
    queue.close();
    const restart = timed(() => {
      queue = open();
      queue.recover();
    });
    const claims = 1_000;
    const claim = timed(() => {
      for (let n = 0; n < claims; n++) queue.finish(queue.claim()!, { state: "succeeded" });
    });
    const figures = timed(() => queue.figures());
    queue.close();
    const size = Deno.statSync(join(directory, "stella.db")).size;
    Deno.removeSync(directory, { recursive: true });
    say(
      `${count} jobs: enqueue ${(count / enqueue * 1000).toFixed(0)}/s, claim and finish ${
        (claims / claim * 1000).toFixed(0)
      }/s, restart ${restart.toFixed(0)} ms, figures ${figures.toFixed(1)} ms, ${
        (size / 2 ** 20).toFixed(0)
      } MiB`,
    );
  }
}

async function load(count: number): Promise<void> {
  await withService(async (service) => {
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
    await pause(200);
    const { started: starts, ended } = endings(service);
    assert.deepEqual([starts.size, ended.size], [count, count], "none is lost");
    for (const id of ids) assert.deepEqual([starts.get(id), ended.get(id)], [1, 1], id);
    assert.equal(
      await metric(service, 'export_jobs_total{profile="tiny",result="success"}'),
      count,
    );
    say(`${count} jobs: each started and ended once`);
  });
}

async function clients(seconds: number): Promise<void> {
  await withService(async (service) => {
    for (const [count, length] of [[64, seconds], [512, Math.min(20, seconds)]] as const) {
      const [answers, statuses]: [number[], Map<number, number>] = [[], new Map()];
      const end = performance.now() + length * 1_000;
      let failed = 0;
      await together(count, async (client) => {
        try {
          const { status, milliseconds } = client % 4 === 0
            ? await submit(service)
            : await ask(`${service.url}${client % 2 === 0 ? "/v1/exports?limit=20" : "/status"}`);
          answers.push(milliseconds);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        } catch {
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
      assert.ok([...statuses.keys()].every((status) => status < 500 || count > 64));
    }
  });
}

async function fair(): Promise<void> {
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

async function kill(count: number): Promise<void> {
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
      if (body.state === "succeeded") digests.add(body.bundleDigest);
      else doomed.add(`${body.state} ${body.error?.message}`);
    }
    say(
      `${count} kills, ${asked.size} exports, ${digests.size} digest, restart ${times(restarts)}`,
    );
    say(`not succeeded: ${[...doomed].join("; ") || "none"}`);
    assert.equal(digests.size, 1, "every bundle is the same");
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

async function soak(seconds: number): Promise<void> {
  await withService(async (service, home) => {
    const fds = () => [...Deno.readDirSync(`/proc/${service.child.pid}/fd`)].length;
    const end = performance.now() + seconds * 1_000;
    const samples: { second: number; memory: number }[] = [];
    const started = performance.now();
    const sampled = (async () => {
      while (performance.now() < end) {
        await pause(5_000);
        const second = (performance.now() - started) / 1_000;
        samples.push({ second, memory: await resident(service) });
      }
    })();
    await pause(Math.min(20_000, seconds * 100));
    const before = {
      fds: fds(),
      series: (await ask(`${service.url}/metrics`)).body.split("\n").length,
    };
    await together(3, async (client) => {
      if (client === 0) await submit(service, "a");
      else await ask(`${service.url}${client === 1 ? "/v1/exports" : "/health/readiness"}`);
      await pause(client === 0 ? 600 : 100);
      return performance.now() < end;
    });
    await sampled;
    await drained(service);
    await pause(6_000);
    const after = {
      fds: fds(),
      series: (await ask(`${service.url}/metrics`)).body.split("\n").length,
    };
    const half = samples.filter(({ second }) => second > seconds / 2);
    const wal = Deno.statSync(join(home.state, "stella.db-wal")).size / 2 ** 20;
    say(
      `memory over the second half: ${slope(half).toFixed(2)} MiB per 10 min, at last ${
        half.at(-1)?.memory.toFixed(0)
      } MiB`,
    );
    say(
      `descriptors ${before.fds} and ${after.fds}, lines of metrics ${before.series} and ${after.series}, WAL ${
        wal.toFixed(1)
      } MiB`,
    );
    say(`exports ${await metric(service, 'export_jobs_total{profile="tiny",result="success"}')}`);
  });
}

/** MiB per ten minutes, by least squares. */
function slope(samples: readonly { second: number; memory: number }[]): number {
  const mean = (of: (one: typeof samples[number]) => number) =>
    samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const [x, y] = [mean((one) => one.second), mean((one) => one.memory)];
  const up = samples.reduce((sum, one) => sum + (one.second - x) * (one.memory - y), 0);
  return up / samples.reduce((sum, one) => sum + (one.second - x) ** 2, 0) * 600;
}

async function latency(mebibytes: number): Promise<void> {
  const source = Deno.makeTempDirSync({
    prefix: "stella-large-",
    dir: Deno.env.get("STELLA_BENCH_DIR") ?? "/tmp",
  });
  const file = Deno.openSync(join(source, "large"), { write: true, create: true });
  const piece = new Uint8Array(2 ** 20);
  for (let n = 0; n < mebibytes; n++) {
    crypto.getRandomValues(piece.subarray(0, 65_536));
    file.writeSync(piece);
  }
  file.close();
  const large = (name: string) => `  ${name}: { kind: files, sources: [{ files: "${source}" }] }\n`;
  await withService(async (service) => {
    await pause(1_000);
    for (const profile of ["one", "two"]) {
      const { status } = await ask(`${service.url}/v1/exports`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ profile }),
      });
      assert.equal(status, 202);
    }
    const stop = { now: false };
    const paths = ["/health/liveness", "/health/readiness", "/metrics"];
    const probes = paths.map((path) => probe(service, path, stop));
    const started = performance.now();
    let most = 0;
    await pause(500);
    while (await metric(service, "export_jobs_running") > 0) {
      most = Math.max(most, await resident(service));
      await pause(250);
    }
    stop.now = true;
    say(
      `two exports of ${mebibytes} MiB took ${
        ((performance.now() - started) / 1000).toFixed(1)
      } s, memory ${most.toFixed(0)} MiB`,
    );
    const seen = await Promise.all(probes);
    paths.forEach((path, at) => say(`${path}: ${times(seen[at]!)}`));
  }, tinyHome(large("one") + large("two")));
  Deno.removeSync(source, { recursive: true });
}

const [name = "", count] = Deno.args;
const benches: Record<string, (count: number) => void | Promise<void>> = {
  queue,
  load: (count) => load(count || 10_000),
  clients: (seconds) => clients(seconds || 60),
  fair,
  kill: (count) => kill(count || 50),
  soak: (seconds) => soak(seconds || 600),
  latency: (mebibytes) => latency(mebibytes || 1_024),
};
const bench = benches[name];
if (bench === undefined) throw new Error(`Name one of ${Object.keys(benches).join(", ")}`);
await bench(Number(count ?? 0));
