/** The commit section: egress, the timeline, spans, and the second dashboard. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root, startSpans } from "../support/program.ts";
import { asked } from "./asked.ts";
import { exportRisk, riskConfig } from "./risk_config.ts";

interface Scenario {
  egress: unknown;
  allowed: string[];
  denied: string[];
}

Deno.test(asked(
  41,
  "each egress scenario allows and refuses the destinations that it names",
  async (home) => {
    const folder = join(root, "tests/fixtures/egress");
    const names = readdirSync(folder);
    assert.ok(names.length >= 8);
    const config = join(home.path, "stella.yaml");
    for (const name of names) {
      const { egress, allowed, denied }: Scenario = JSON.parse(
        readFileSync(join(folder, name), "utf8"),
      );
      // JSON is YAML.
      writeFileSync(config, JSON.stringify({ version: 1, egress }));
      // One allowed and one refused destination; a unit test covers all of them.
      const asked = [...allowed.slice(0, 1), ...denied.slice(0, 1)];
      const ran = await Promise.all(
        asked.map((destination) =>
          home.json(["config", "check", "--config", config, "--destination", destination])
        ),
      );
      const reported = ran.map(({ exit, destination, allowed }) => [exit, destination, allowed]);
      assert.deepEqual(
        reported,
        asked.map((one) => allowed.includes(one) ? [0, one, true] : [15, one, false]),
        name,
      );
    }
  },
));

Deno.test(asked(41, "a sealed site connects only to the destinations in its list", async (home) => {
  const config = riskConfig(
    home,
    [
      "  fetched:",
      "    kind: risk",
      `    providers: [{ kind: kev, url: 'http://127.0.0.1:9/k.json', sha256: ${"a".repeat(64)} }]`,
      "registries: { site: { url: 'http://127.0.0.1:9' } }",
      "egress: { sealed: true, allow: ['registry.site:5000'] }",
    ].join("\n"),
  );
  const checked = await home.json(["config", "check", ...config]);
  assert.deepEqual([checked.exit, checked.egress.reach], [2, [
    { of: "registry site", destination: "127.0.0.1:9", allowed: false },
    { of: "profile fetched", destination: "127.0.0.1:9", allowed: false },
  ]]);
  const service = await home.serve(config);
  const job = await service.export({ profile: "fetched" });
  const { egress, features } = await service.get("/status");
  const metrics = await service.get("/metrics");
  await service.stop();
  assert.equal(job.state, "failed");
  assert.match(job.error.message, /Cannot connect to 127\.0\.0\.1:9: this site is sealed/);
  assert.ok(features.sealed && egress.sealed && egress.refused >= 2, JSON.stringify(egress));
  assert.match(metrics, /^export_egress_refused_total [1-9]/m);
  const lines = service.log.trim().split("\n").map((one) => JSON.parse(one));
  assert.ok(lines.some((one) => one.event === "egress.refused" && one.exportId === job.id));
  await home.succeed([...exportRisk, ...config]);
  const push = ["export", "bundle", "push", "--manifest", "out", "oci://127.0.0.1:9/r:t"];
  const pushed = await home.json([...push, ...config]);
  assert.deepEqual([pushed.exit, pushed.findings[0].reason], [15, "egress_refused"]);
}));

Deno.test(
  asked(
    42,
    "the timeline of an export can be queried by tenant and by event id",
    async (home) => {
      const service = await home.serve(riskConfig(home, "tenants: [default, lab]"));
      const job = await service.export({ profile: "risk" });
      const timeline = `/v1/timeline?exportId=${job.id}`;
      const { items, next } = await service.get(timeline);
      const stages: string[] = items.map((one: { stage: string }) => one.stage);
      assert.deepEqual(
        [stages[0], stages[1], stages.at(-1), next],
        ["queued", "started", "succeeded", null],
      );
      for (const stage of ["plan", "read", "sign", "verified", "published"]) {
        assert.ok(stages.includes(stage), `${stage} of ${stages}`);
      }
      assert.deepEqual(await service.get(`/v1/timeline/${items[0].id}`), items[0]);
      // Another tenant gets the same answer as for an event that does not exist.
      const foreign = await fetch(`${service.url}/v1/timeline/${items[0].id}?tenant=lab`);
      const missing = await fetch(
        `${service.url}/v1/timeline/019b76da-a800-7000-8000-000000000000?tenant=lab`,
      );
      assert.deepEqual([foreign.status, await foreign.text()], [404, await missing.text()]);
      assert.deepEqual((await service.get(`${timeline}&tenant=lab`)).items, []);
      assert.equal((await service.get("/v1/timeline/7")).status, 400);
      const reported = await home.json(["timeline", "--url", service.url, "--export", job.id]);
      assert.deepEqual(reported.items, items);
      await service.stop();
    },
  ),
);

Deno.test(asked(43, "stella spans stores the spans that it receives over OTLP", async (home) => {
  const sink = await startSpans(home, "spans.ndjson");
  const span = { traceId: "a".repeat(32), spanId: "b".repeat(16), name: "export" };
  const sent = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
  const answer = await fetch(`${sink.url}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(sent),
  });
  assert.deepEqual([answer.status, await answer.json()], [200, {}]);
  assert.equal(await sink.stop(), 0);
  assert.deepEqual(JSON.parse(readFileSync(join(home.path, "spans.ndjson"), "utf8")), sent);
}));

Deno.test(asked(43, "the program comes with a collector configuration", async (home) => {
  await home.succeed(["assets", "write", "kit"]);
  const config = readFileSync(join(home.path, "kit/dashboards/otel-collector.yaml"), "utf8");
  const { receivers, exporters, service } = parse(config);
  const { receivers: from, exporters: to } = service.pipelines.traces;
  assert.deepEqual(from, ["otlp"]);
  assert.equal(receivers.otlp.protocols.http.endpoint, "127.0.0.1:4318");
  for (const name of to) assert.ok(name in exporters, name);
}));

Deno.test(
  asked(44, "a second dashboard shows traces, and VEX and advisories of bundles", async (home) => {
    await home.succeed(["assets", "write", "kit"]);
    const path = join(home.path, "kit/dashboards/export-center-traces.json");
    const { panels, templating } = JSON.parse(readFileSync(path, "utf8"));
    const titles: string[] = panels.map((panel: { title: string }) => panel.title);
    assert.ok(titles.some((title) => /VEX/.test(title)), `${titles}`);
    assert.ok(titles.some((title) => /stages/i.test(title)), `${titles}`);
    assert.ok(
      templating.list.some((one: { type: string; query: string }) =>
        one.type === "datasource" && one.query === "tempo"
      ),
    );
  }),
);
