/** How fast the queue is, and how quick the service answers while it works. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SqliteQueue } from "../../src/jobs/sqlite/queue.ts";
import {
  ask,
  metric,
  pause,
  probe,
  resident,
  say,
  times,
  tinyHome,
  withService,
} from "./service_client.ts";

export function queue(): void {
  for (const count of [1_000, 10_000, 100_000]) {
    const directory = Deno.makeTempDirSync({ prefix: "stella-bench-" });
    let ids = 0;
    const open = () =>
      new SqliteQueue(join(directory, "stella.db"), { now: Date.now, newId: () => `id-${++ids}` });
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

export async function latency(mebibytes: number): Promise<void> {
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
    let max = 0;
    await pause(500);
    while (await metric(service, "export_jobs_running") > 0) {
      max = Math.max(max, await resident(service));
      await pause(250);
    }
    stop.now = true;
    say(
      `two exports of ${mebibytes} MiB took ${
        ((performance.now() - started) / 1000).toFixed(1)
      } s, memory ${max.toFixed(0)} MiB`,
    );
    const seen = await Promise.all(probes);
    paths.forEach((path, at) => say(`${path}: ${times(seen[at]!)}`));
  }, tinyHome(large("one") + large("two")));
  Deno.removeSync(source, { recursive: true });
}
