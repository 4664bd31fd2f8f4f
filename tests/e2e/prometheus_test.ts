/**
 * Debian's Prometheus scrapes a busy service with the shipped rules: every query of the dashboards
 * has data and every rule is healthy. Alerts on real faults are in alerts_test.ts.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dashboards } from "../../dashboards/source/generate.ts";
import { metricTargets, panelsOf } from "../dashboards/panels.ts";
import { filled } from "../dashboards/promql.ts";
import { requiring } from "../support/needs.ts";
import { freePort, Home, root, type Service } from "../support/program.ts";
import {
  configureStella,
  Prometheus,
  serveOn,
  sleep,
  sparse,
  startRegistry,
  until,
} from "../support/site.ts";

interface Query {
  panel: string;
  expr: string;
}

const queries: Query[] = Object.values(dashboards).flatMap(panelsOf).flatMap((panel) =>
  metricTargets([panel]).map((one) => ({ panel: panel.title, expr: one.expr }))
);

/**
 * Exports that succeed, one that fails, pushes that succeed and one that fails, traces to a closed
 * port, and an invalid request.
 */
async function work(service: Service): Promise<void> {
  for (const profile of ["advisories", "kit", "advisories", "risk", "broken", "lost"]) {
    const { state } = await service.export({ profile });
    assert.equal(state, ["broken", "lost"].includes(profile) ? "failed" : "succeeded", profile);
  }
  assert.equal((await service.get("/v1/exports/x")).status, 400);
}

/** The queries among `asked` that have no number among their values. */
async function empty(prometheus: Prometheus, asked: readonly Query[]): Promise<Query[]> {
  const found = await Promise.all(asked.map(async (query) => {
    const series = await prometheus.query(filled(query.expr));
    return series.some((one) => Number.isFinite(Number(one.value[1]))) ? [] : [query];
  }));
  return found.flat();
}

/** The metrics of a verification that finds a rollback, served as node_exporter would. */
async function refusedRun(home: Home): Promise<Deno.HttpServer<Deno.NetAddr>> {
  const file = join(home.path, "run.prom");
  const manifest = join(home.path, "old", "manifest.json");
  const input = join(root, "tests/fixtures/sample");
  const exported = ["export", "bundle", "--profile", "carried", "--input", input];
  await home.succeed([...exported, "--manifest", manifest]);
  const verify = ["verify", manifest, "--expect-sequence", "2", "--metrics-textfile", file];
  assert.equal((await home.stella(verify)).code, 11);
  const metrics = readFileSync(file, "utf8");
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  return Deno.serve(options, () => new Response(metrics));
}

Deno.test(requiring(
  ["prometheus", "docker-registry"],
  "every query of the dashboards has data, and every rule is healthy",
  async () => {
    const home = new Home();
    const registry = await startRegistry(home.path);
    const sample = join(root, "tests/fixtures/sample");
    const push = (repository: string) => ({ registry: "site", repository, tag: "latest" });
    configureStella(home, {
      registries: { site: { url: registry.url } },
      traces: { endpoint: `http://127.0.0.1:${freePort()}` },
      profiles: {
        advisories: {
          kind: "files",
          sla: "15m",
          schedule: { cron: "0 3 * * *" },
          retention: { keep: 1 },
          sources: [{ files: sample }],
          targets: [push("exports/advisories")],
        },
        long: {
          kind: "files",
          sources: [{ files: sparse(join(home.path, "zeros"), 4 * 2 ** 30) }],
        },
        risk: {
          kind: "risk",
          providers: [{ kind: "kev", path: join(root, "tests/fixtures/risk/kev.json") }],
        },
        broken: { kind: "files", sources: [{ files: join(home.path, "nowhere") }] },
        lost: {
          kind: "files",
          sources: [{ files: sample }],
          targets: [{ directory: "/dev/null/x" }],
        },
      },
    });
    const run = await refusedRun(home);
    const port = freePort();
    const service = await serveOn(home, port);
    const rules = readFileSync(join(root, "dashboards/export-center.rules.yml"), "utf8");
    const prometheus = await Prometheus.start(join(home.path, "prometheus"), rules, [
      `127.0.0.1:${port}`,
      `127.0.0.1:${run.addr.port}`,
    ]);
    try {
      await until(
        "the first scrape",
        async () => (await prometheus.query("export_build_info")).at(0),
        60,
      );
      // Two scrapes before the work: a rate needs a value to start from.
      await sleep(1);
      await work(service);
      // Some have data only while an export runs.
      await service.submit({ profile: "long" });
      let left = queries;
      const all = async () => (left = await empty(prometheus, left)).length === 0 || undefined;
      await until("data in every panel", all, 20).catch(() => assert.deepEqual(left, []));
      assert.ok(queries.length >= 60, `${queries.length} queries`);
      const sick = (await prometheus.rules()).filter((rule) => rule.health !== "ok");
      assert.deepEqual(sick, []);
      assert.equal((await prometheus.rules()).length, 26);
    } finally {
      await prometheus.stop();
      await service.stop();
      await registry.stop();
      await run.shutdown();
      home.remove();
    }
  },
));
