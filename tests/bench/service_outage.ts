/** What a service depends on, taken away piece by piece: row O1 of the test plan. */
import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Service } from "../support/program.ts";
import { ask, pause, say, tinyHome, withService } from "./service_client.ts";

// deno-lint-ignore no-explicit-any -- the answer of readiness
type Readiness = any;

/** Until readiness says so, which has to be within 12 s and without liveness ever being slow. */
async function until(
  service: Service,
  what: string,
  isSo: (ready: Readiness) => boolean,
): Promise<void> {
  const started = performance.now();
  let [worst, seconds] = [0, 0];
  let ready: Readiness | undefined;
  while (ready === undefined || !isSo(ready)) {
    await pause(100);
    const live = await ask(`${service.url}/health/liveness`);
    assert.equal(live.status, 200);
    worst = Math.max(worst, live.milliseconds);
    assert.ok(worst < 100, `${what}: liveness took ${worst} ms`);
    ready = (await ask(`${service.url}/health/readiness`)).body;
    seconds = (performance.now() - started) / 1_000;
    assert.ok(seconds < 12, `${what}: ${JSON.stringify(ready)}`);
  }
  say(`${what}: ${seconds.toFixed(1)} s, liveness at worst ${worst.toFixed(0)} ms`);
}

export async function outage(): Promise<void> {
  // A registry that takes connections and says nothing.
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const home = tinyHome("", `registries: { site: { url: "http://127.0.0.1:${port}" } }\n`);
  const status = (ready: Readiness, check: string) => ready.checks[check]?.[0].status;
  try {
    await withService(async (service) => {
      const db = `${home.state}/stella.db`;
      await until(
        service,
        "registry is silent",
        (ready) => status(ready, "registry:site") === "warn",
      );
      const other = new DatabaseSync(db);
      other.exec("BEGIN IMMEDIATE");
      await until(
        service,
        "database is locked",
        (ready) => status(ready, "database:write") === "fail",
      );
      other.exec("ROLLBACK");
      other.close();
      await until(
        service,
        "database is free",
        (ready) => status(ready, "database:write") === "pass",
      );
      renameSync(home.state, `${home.state}.gone`);
      await until(
        service,
        "storage is gone",
        (ready) =>
          status(ready, "storage:write") === "fail" && status(ready, "lock:held") === "fail",
      );
      renameSync(`${home.state}.gone`, home.state);
      await until(service, "storage is back", (ready) => ready.status === "warn");
    }, home);
  } finally {
    silent.close();
  }
}
