/**
 * Each alert fires on a real fault and clears after it. Debian's Prometheus scrapes ten services
 * with different faults at once; the rules are rendered so that an hour lasts a minute. promtool
 * tests the shipped durations (export-center.rules.test.yml).
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sixtyfold } from "../dashboards/fast_rules.ts";
import { requiring, tool } from "../support/needs.ts";
import { freePort, Home, root, type Service, sourceWords } from "../support/program.ts";
import { Gate } from "./gate.ts";
import {
  type ActiveAlert,
  configureStella,
  Prometheus,
  serveOn,
  sleep,
  type Start,
  startRegistry,
  until,
} from "../support/site.ts";

const shippedRules = readFileSync(join(root, "dashboards/export-center.rules.yml"), "utf8");

/**
 * Six hours and three days are shortened further, because an alert clears only after its longest
 * window.
 */
const fastRules = sixtyfold(shippedRules, { "6h": "50s", "3d": "70s" });

/** Where an alert comes from, for the table that the test prints. */
interface Row {
  alert: string;
  fault: string;
  firedAfter: number;
  clearedAfter: number;
}

/** The site of one test: what was started is stopped in reverse order. */
class Trial {
  readonly rows: Row[] = [];
  readonly targets: string[] = [];
  readonly #undo: (() => unknown)[] = [];
  prometheus!: Prometheus;
  registry!: Gate;

  undo(step: () => unknown): void {
    this.#undo.push(step);
  }

  /** A service of its own, with its state in `state` where that is given. */
  async service(
    config: Record<string, unknown>,
    more: Start & { state?: string | undefined } = {},
  ) {
    const home = new Home();
    this.undo(() => home.remove());
    const { state, ...start } = more;
    if (state !== undefined) Object.assign(home, { state });
    configureStella(home, config);
    const port = freePort();
    this.targets.push(`127.0.0.1:${port}`);
    let service = await serveOn(home, port, start);
    this.undo(() => service.stop("SIGKILL"));
    return {
      home,
      instance: `127.0.0.1:${port}`,
      get: (): Service => service,
      kill: () => service.stop("SIGKILL"),
      startAgain: async () => service = await serveOn(home, port, start),
    };
  }

  /** Waits for the alert, ends the fault, waits until the alert is gone. */
  async proves(
    alert: string,
    fault: string,
    labels: Record<string, string>,
    repair: () => unknown,
    seconds = { fire: 90, clear: 150 },
  ): Promise<void> {
    const from = performance.now();
    const since = (start: number) => Math.round((performance.now() - start) / 100) / 10;
    const found = await until(`${alert} fires`, () => this.#firing(alert, labels), seconds.fire);
    const firedAfter = since(from);
    assert.match(found.annotations["description"] ?? "", /^\S.+\.$/);
    assert.doesNotMatch(found.annotations["description"] ?? "", /<no value>|\{\{/);
    const mended = performance.now();
    await repair();
    const isGone = async () => (await this.#firing(alert, labels)) === undefined || undefined;
    await until(`${alert} clears`, isGone, seconds.clear);
    this.rows.push({ alert, fault, firedAfter, clearedAfter: since(mended) });
  }

  async fires(alert: string): Promise<ActiveAlert> {
    return await until(`${alert} fires`, () => this.#firing(alert, {}), 60);
  }

  async end(): Promise<void> {
    for (let step = this.#undo.pop(); step !== undefined; step = this.#undo.pop()) await step();
  }

  async #firing(alert: string, labels: Record<string, string>): Promise<ActiveAlert | undefined> {
    return (await this.prometheus.alerts()).find((one) =>
      one.state === "firing" && one.labels["alertname"] === alert &&
      Object.entries(labels).every(([name, value]) => one.labels[name] === value)
    );
  }
}

type Running = Awaited<ReturnType<Trial["service"]>>;

const sample = [{ files: join(root, "tests/fixtures/sample") }];

/** Exports that take longer than a second, which is their SLA. */
async function slow(trial: Trial, { get }: Running): Promise<void> {
  for (let n = 0; n < 8; n++) await get().submit({ profile: "slow" });
  const labels = { profile: "slow" };
  await trial.proves(
    "ExportJobDurationP99AboveSLA",
    "slow registry, SLA 1 s",
    labels,
    () => {},
  );
}

/** The public key is gone, so the service does not trust its own signature. */
async function untrusted(trial: Trial, { get, home, instance }: Running): Promise<void> {
  await get().export({ profile: "kit" });
  const key = join(home.state, "keys/signing.pub");
  renameSync(key, `${key}.away`);
  assert.equal((await get().export({ profile: "kit" })).state, "failed");
  const labels = { instance, reason: "key_unknown" };
  const repair = () => renameSync(`${key}.away`, key);
  await trial.proves(
    "ExportAttestationVerificationFailures",
    "signing.pub removed",
    labels,
    repair,
  );
}

/** Exports whose source does not exist. */
async function broken(trial: Trial, { get }: Running): Promise<void> {
  for (let n = 0; n < 4; n++) {
    assert.equal((await get().export({ profile: "broken" })).state, "failed");
    // Each in a scrape of its own.
    await sleep(0.6);
  }
  const labels = { profile: "broken" };
  await Promise.all(
    ["ExportErrorBudgetBurnFast", "ExportErrorBudgetBurnSlow"].map((alert) =>
      trial.proves(alert, "4 exports without their source", labels, () => {})
    ),
  );
}

/** A target directory below a file. */
async function unpublished(trial: Trial, { get, instance }: Running): Promise<void> {
  assert.equal((await get().export({ profile: "lost" })).state, "failed");
  const labels = { instance, result: "error" };
  await trial.proves("ExportManifestPublishFailures", "target below a file", labels, () => {});
}

/** A file lies where the target directory of a profile was: nothing is exported meanwhile. */
async function untargeted(
  trial: Trial,
  { instance }: Running,
  directory: string,
): Promise<void> {
  writeFileSync(directory, "in the way");
  const labels = { instance, check: "target:aside" };
  const repair = () => rmSync(directory);
  await trial.proves("ExportTargetWarning", "file in place of a target", labels, repair);
}

/** Quick pushes for a while, then slow ones, then refused ones. */
async function pushes(trial: Trial, { get }: Running): Promise<void> {
  const { registry: gate } = trial;
  const isReady = async () => (await get().get("/health/readiness")).status === "pass" || undefined;
  const isIdle = async () =>
    /^export_queue_depth 0$[^]*^export_jobs_running 0$/m.test(
      await get().get("/metrics"),
    ) || undefined;
  // Requested while the registry is healthy: exports that need an unhealthy registry are refused.
  const burst = async (count: number, mode: "slow" | "refuse") => {
    await until("the registry is well", isReady, 60);
    for (let n = 0; n < count; n++) await get().submit({ profile: "pushed" });
    gate.set(mode);
  };
  for (let n = 0; n < 8; n++) {
    await get().export({ profile: "pushed" });
    // Each in a scrape of its own.
    await sleep(0.5);
  }
  // The baseline of a spike has to be an hour old, here a minute.
  await sleep(62);
  await burst(12, "slow");
  await trial.proves("ExportRegistryPushLatencySpike", "gate keeps each packet 250 ms", {
    profile: "pushed",
  }, async () => {
    gate.set("pass");
    await until("nothing is left to push", isIdle, 60);
    await burst(5, "refuse");
    await until("all are refused", isIdle, 60);
    gate.set("pass");
  }, { fire: 90, clear: 120 });
}

async function refused(trial: Trial): Promise<void> {
  await trial.proves("ExportRegistryPushErrorRateHigh", "registry answers 403", {}, () => {}, {
    fire: 240,
    clear: 120,
  });
}

/** A registry that accepts connections and never answers. */
async function hanging(trial: Trial, { get, instance }: Running, gate: Gate): Promise<void> {
  gate.set("hang");
  const asked = [];
  for (let n = 0; n < 4; n++) asked.push(await get().submit({ profile: "hangs" }));
  const labels = { instance };
  const mended = Promise.withResolvers<void>();
  await Promise.all([
    trial.proves(
      "ExportQueueGrowingWithoutCompletion",
      "registry is silent",
      labels,
      () => mended.promise,
    ),
    trial.proves("ExportJobStuck", "registry is silent", labels, async () => {
      await trial.fires("ExportQueueGrowingWithoutCompletion");
      gate.set("pass");
      mended.resolve();
    }),
  ]);
  for (const path of asked) {
    const ended = async () => {
      const job = await get().get(path);
      return ["queued", "running"].includes(job.state) ? undefined : job;
    };
    const { state, error } = await until(`${path} ends`, ended, 60);
    assert.equal(state, "succeeded", JSON.stringify(error));
  }
}

/** The lock file is renamed: another stella could take the directory. */
async function unready(trial: Trial, { home, instance }: Running): Promise<void> {
  const lock = join(home.state, "lock");
  renameSync(lock, `${lock}.away`);
  const labels = { instance, check: "lock:held" };
  const repair = () => renameSync(`${lock}.away`, lock);
  await trial.proves("ExportCenterNotReady", "lock file renamed", labels, repair);
}

/** A state directory of 64 MiB, of which 60 are taken. */
async function filling(trial: Trial, { home, instance }: Running): Promise<void> {
  const ballast = join(home.state, "ballast");
  writeFileSync(ballast, new Uint8Array(60 * 2 ** 20));
  await trial.proves(
    "ExportStorageFillingUp",
    "95 % of the disk taken",
    { instance },
    () => rmSync(ballast),
  );
}

/** Killed, started; killed and started twice more. */
async function falling(trial: Trial, running: Running): Promise<void> {
  const { instance, kill, startAgain } = running;
  await kill();
  await trial.proves("ExportCenterDown", "kill -9", { instance }, startAgain);
  for (let n = 0; n < 2; n++) {
    // Scraped a few times in between.
    await sleep(2);
    await kill();
    await startAgain();
  }
  await trial.proves("ExportCenterRestarting", "3 x kill -9 and start", { instance }, () => {});
}

/**
 * A schedule that is due each minute while its source is missing. Once the source is back, a manual
 * export clears the alert.
 */
async function stale(trial: Trial, { get, instance }: Running, source: string): Promise<void> {
  assert.equal((await get().export({ profile: "scheduled" })).state, "succeeded");
  renameSync(source, `${source}.away`);
  const labels = { instance, profile: "scheduled" };
  await trial.proves("ExportProfileStale", "source of a schedule away", labels, async () => {
    renameSync(`${source}.away`, source);
    assert.equal((await get().export({ profile: "scheduled" })).state, "succeeded");
  }, { fire: 200, clear: 30 });
}

/**
 * A stored bundle is changed while the service is stopped; the next start detects it, and it is
 * purged.
 */
async function damaged(trial: Trial, { get, home, instance, kill, startAgain }: Running) {
  const { id } = await get().export({ profile: "kept" });
  await kill();
  writeFileSync(join(home.state, "store/default/kept", id, "SHA256SUMS"), "");
  rmSync(join(home.state, "scrubbed"), { force: true });
  await startAgain();
  await trial.proves(
    "ExportStoreDamaged",
    "index of a stored bundle emptied",
    { instance },
    () => fetch(`${get().url}/v1/exports/${id}`, { method: "DELETE" }),
  );
}

/** The service's wall clock goes back by an hour while its monotonic clock advances. */
async function setBack(trial: Trial, { instance }: Running, clock: FakeClock): Promise<void> {
  clock.set("-3600");
  const repair = () => clock.set("+0");
  await trial.proves("ExportClockWentBackwards", "clock set back by 1 h", { instance }, repair);
}

type FakeClock = Awaited<ReturnType<typeof fakeClock>>;

/** A clock that a test sets for one process: libfaketime reads the offset from a file. */
async function fakeClock(dir: string) {
  const file = join(dir, "clock");
  const args = ["-m", "-f", "+0", "printenv", "LD_PRELOAD"];
  const { stdout } = await new Deno.Command(tool("faketime") ?? "faketime", { args }).output();
  const set = (distance: string) => {
    writeFileSync(`${file}.new`, `${distance}\n`);
    renameSync(`${file}.new`, file);
  };
  set("+0");
  const env = {
    LD_PRELOAD: new TextDecoder().decode(stdout).trim(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  return { set, start: { words: sourceWords(), env } };
}

/** Another program on the port. */
async function impostor(trial: Trial, { instance, close }: Impostor): Promise<void> {
  await trial.proves("ExportMetricsMissing", "another program answers", { instance }, close);
}

type Impostor = Awaited<ReturnType<typeof startImpostor>>;

async function startImpostor(trial: Trial) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end("other 1\n");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const instance = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  trial.targets.push(instance);
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  trial.undo(close);
  return { instance, close };
}

/** A file system of 64 MiB, where this test may mount one. */
async function smallDisk(trial: Trial): Promise<string | undefined> {
  const path = Deno.makeTempDirSync({ prefix: "stella-disk-" });
  trial.undo(() => rmSync(path, { recursive: true, force: true }));
  const run = async (...words: [string, ...string[]]) =>
    (await new Deno.Command(words[0], { args: words.slice(1), stderr: "null" }).output()).success;
  const mounted = await run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", path)
    .catch(() => false);
  if (!mounted) return undefined;
  trial.undo(() => run("umount", path));
  const state = join(path, "state");
  mkdirSync(state, { mode: 0o700 });
  return state;
}

async function startAll(trial: Trial) {
  const dir = Deno.makeTempDirSync({ prefix: "stella-alerts-" });
  trial.undo(() => rmSync(dir, { recursive: true }));
  const registry = await startRegistry(dir);
  trial.undo(() => registry.stop());
  const gates = await Promise.all([1, 2, 3].map(() => new Gate(registry.port).open()));
  for (const gate of gates) trial.undo(() => gate.close());
  const [quick, silent, lazy] = gates as [Gate, Gate, Gate];
  lazy.set("slow");
  trial.registry = quick;
  const pushed = (gate: Gate, repository: string) => ({
    registries: { site: { url: gate.url } },
    targets: [{ registry: "site", repository, tag: "latest" }],
  });
  const profile = (sources: unknown, more: Record<string, unknown> = {}) => ({
    kind: "files",
    sources,
    ...more,
  });
  const to = (gate: Gate, repository: string) => pushed(gate, repository);
  const site = (gate: Gate) => ({ registries: to(gate, "x").registries });
  const disk = await smallDisk(trial);
  const clock = await fakeClock(dir);
  const source = join(dir, "source");
  cpSync(join(root, "tests/fixtures/sample"), source, { recursive: true });
  const services = {
    slow: await trial.service({
      ...site(lazy),
      profiles: { slow: profile(sample, { sla: "1s", targets: to(lazy, "exports/c").targets }) },
    }),
    faulty: await trial.service({
      profiles: {
        broken: profile([{ files: join(dir, "nowhere") }]),
        lost: profile(sample, { targets: [{ directory: "/dev/null/x" }] }),
      },
    }),
    pushing: await trial.service({
      ...site(quick),
      profiles: { pushed: profile(sample, { targets: to(quick, "exports/a").targets }) },
    }),
    hanging: await trial.service({
      ...site(silent),
      profiles: {
        hangs: profile(sample, { sla: "1s", targets: to(silent, "exports/b").targets }),
      },
    }),
    small: await trial.service({ profiles: {} }, { state: disk }),
    falling: await trial.service({ profiles: {} }),
    scheduled: await trial.service({
      profiles: { scheduled: profile([{ files: source }], { schedule: { cron: "* * * * *" } }) },
    }),
    damaged: await trial.service({ profiles: { kept: profile(sample) } }),
    idle: await trial.service({
      profiles: { aside: profile(sample, { targets: [{ directory: join(dir, "aside") }] }) },
    }),
    drifting: await trial.service({ profiles: {} }, clock.start),
    impostor: await startImpostor(trial),
  };
  trial.prometheus = await Prometheus.start(
    join(dir, "prometheus"),
    fastRules,
    trial.targets,
  );
  trial.undo(() => trial.prometheus.stop());
  // Prometheus scrapes a new target only after some seconds. A time without faults follows, so that
  // each fault is a change.
  const count = String(trial.targets.length);
  const seen = async () => (await trial.prometheus.query("count(up == 1)"))[0]?.value[1] === count;
  await until("every target is scraped", async () => await seen() || undefined, 20);
  await sleep(3);
  return {
    ...services,
    aside: join(dir, "aside"),
    silent,
    clock,
    source,
    hasDisk: disk !== undefined,
  };
}

function print(rows: readonly Row[]): void {
  const lines = rows.toSorted((a, b) => a.alert < b.alert ? -1 : 1).map((row) =>
    `${row.alert.padEnd(38)} ${row.fault.padEnd(32)} fired after ${row.firedAfter} s, ` +
    `cleared after ${row.clearedAfter} s`
  );
  Deno.stderr.writeSync(new TextEncoder().encode(`\n${lines.join("\n")}\n`));
}

Deno.test(requiring(
  ["prometheus", "docker-registry", "faketime"],
  "every alert fires on a real fault and clears after it",
  async () => {
    const trial = new Trial();
    try {
      const site = await startAll(trial);
      await trial.fires("ExportCenterWatchdog");
      // All of them, so that one fault that does not occur does not hide the others.
      const results = await Promise.allSettled([
        slow(trial, site.slow),
        broken(trial, site.faulty).then(() => unpublished(trial, site.faulty)),
        pushes(trial, site.pushing),
        refused(trial),
        hanging(trial, site.hanging, site.silent),
        unready(trial, site.small).then(() => untrusted(trial, site.small)),
        site.hasDisk ? filling(trial, site.small) : Promise.resolve(),
        falling(trial, site.falling),
        stale(trial, site.scheduled, site.source),
        damaged(trial, site.damaged),
        untargeted(trial, site.idle, site.aside),
        setBack(trial, site.drifting, site.clock),
        impostor(trial, site.impostor),
      ]);
      const failures = results.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
      print(trial.rows);
      assert.deepEqual(failures.map(String), []);
      await trial.prometheus.reload("renamed", trial.targets);
      const repair = () => trial.prometheus.reload("export-center", trial.targets);
      await trial.proves("ExportCenterAbsent", "scrape job renamed", {}, repair);
      print(trial.rows.slice(-1));
      const proven = new Set(trial.rows.map((row) => row.alert));
      const named = [...shippedRules.matchAll(/- alert: (\w+)/g)].map((one) => one[1] ?? "");
      const left = named.filter((name) => !proven.has(name));
      const excused = site.hasDisk ? [] : ["ExportStorageFillingUp"];
      assert.deepEqual(left, [...excused, "ExportCenterWatchdog"]);
    } finally {
      await trial.end();
    }
  },
));
