import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { dashboards as generated } from "../../dashboards/source/generate.ts";
import { actions, Audit } from "../../src/telemetry/audit.ts";
import { watchChecks } from "../../src/telemetry/check_watch.ts";
import { ExportWatch } from "../../src/telemetry/export_watch.ts";
import { openLog } from "../../src/telemetry/log.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { requiring, tool } from "../support/needs.ts";
import { labelsOf, serviceMetrics } from "./metric_names.ts";
import { dashboards } from "./promtool.ts";

const runbook = readFileSync(new URL("observability.md", dashboards), "utf8");

/** The text below a heading, up to the next of the same or a higher level. */
function section(heading: string): string {
  const level = heading.split(" ")[0]?.length ?? 1;
  const from = runbook.indexOf(`\n${heading}\n`);
  ok(from >= 0, `the runbook has no ${heading}`);
  const rest = runbook.slice(from + heading.length + 2);
  const next = new RegExp(`^#{1,${level}} `, "m").exec(rest);
  return rest.slice(0, next?.index);
}

const headings = (level: string, text: string) =>
  [...text.matchAll(new RegExp(`^${level} (.+)$`, "gm"))].map((one) => one[1]);

function run(command: string, args: string[], input: string): { code: number; output: string } {
  const file = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(file, input);
    const { code, stdout, stderr } = new Deno.Command(command, { args: [...args, file] })
      .outputSync();
    return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("the runbook has the requested headings in order", () => {
  deepEqual(headings("##", runbook), [
    "Dashboards",
    "Key metrics",
    "Logs and traces",
    "Health and diagnostics",
    "Alert hints",
    "Offline verification steps",
    "Evidence locations",
  ]);
});

Deno.test("every alert has a section that explains its meaning, what to check and what to do", () => {
  const rules = parse(readFileSync(new URL("export-center.rules.yml", dashboards), "utf8")) as {
    groups: { rules: { alert?: string }[] }[];
  };
  const names = rules.groups.flatMap((group) => group.rules).flatMap((rule) => rule.alert ?? []);
  deepEqual(headings("###", section("## Alert hints")), names);
  for (const name of names) {
    match(
      section(`### ${name}`),
      /^\n\*\*Means:\*\* [^]+\n\*\*Look at:\*\* [^]+\n\*\*Do:\*\*\s/,
      name,
    );
  }
});

Deno.test("Key metrics lists every metric of the service, with its labels, and no other", () => {
  const listed = [
    ...section("## Key metrics").matchAll(/`((?:export|process|http)_\w+)(?:\{([\w,]+)\})?`/g),
  ];
  const base = (series: string) => series.replace(/_bucket$/, "");
  deepEqual(
    listed.map((one) => base(one[1] ?? "")).toSorted(),
    Object.keys(serviceMetrics).toSorted(),
  );
  for (const [, series = "", labels] of listed) {
    const own = labelsOf(series)?.filter((label) => !["job", "instance", "le"].includes(label));
    deepEqual(labels?.split(",") ?? [], own, series);
  }
});

Deno.test("the runbook explains exactly the panels above the first row", () => {
  const table = section("## Dashboards").matchAll(/^\| ([^|]+?) +\|/gm);
  const explained = [...table].map((one) => one[1] ?? "").filter((cell) =>
    !/^(panel|-+)$/.test(cell)
  );
  const { panels } = generated["export-center-observability.json"];
  const above = panels.slice(0, panels.findIndex((panel) => panel.type === "row"));
  deepEqual(explained, above.map((panel) => panel.title));
});

Deno.test("sh can parse every command of the runbook", () => {
  const blocks = [...runbook.matchAll(/^( *)```sh\n([^]*?)^ *```$/gm)];
  ok(blocks.length >= 15);
  for (const [, indent = "", block = ""] of blocks) {
    const script = block.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    const { code, output } = run("sh", ["-n"], script);
    equal(code, 0, `${output}\n${script}`);
  }
});

/**
 * The log of an export with a failing push and of a failing check; systemd's own line is not JSON.
 */
async function journal(): Promise<string> {
  const lines: string[] = ["Started stella.service - Export Center."];
  const { log, drained } = openLog({
    write: (bytes) => {
      lines.push(new TextDecoder().decode(bytes).trimEnd());
      return Promise.resolve(bytes.length);
    },
    now: () => 0,
    resource: { "service.name": "stella", "service.version": "1", "service.instance.id": "a" },
    escape: (text) => text,
    journal: false,
  });
  const metrics = new Metrics({
    profiles: [],
    build: { version: "1", commit: "unknown", bundleSchema: 1 },
    queue: () => ({ queued: 0, running: 0, oldestQueuedAt: undefined, oldestRunningAt: new Map() }),
    process: () => ({ startedAt: 0, cpuSeconds: 0, residentBytes: 0 }),
    onFault: () => {},
  });
  const exportId = "0198c5e2-7d7a-7c6e-9f0e-3b1f2a4c5d6e";
  const watch = new ExportWatch({ exportId, profile: "kit", tenant: "default" }, {
    log,
    metrics,
    elapsed: () => 0,
  });
  watch.queued();
  watch.started(1);
  watch.onEvent({ kind: "progress", stage: "read", done: 0, total: 0 });
  watch.onEvent({ kind: "verified", result: "failed", reason: "digest_mismatch" });
  watch.onEvent({ kind: "unchanged", sameAs: exportId, bundleDigest: "x" });
  watch.onEvent({ kind: "published", result: "success" });
  watch.onEvent({ kind: "pushed", registry: "site", result: "auth", seconds: 1 });
  const error = { code: "remote", message: "refused" };
  watch.deferred(error, 10_000);
  watch.lost();
  watch.ended({ state: "failed", bundleDigest: "x", error }, 1);
  const audit = new Audit({
    log,
    timeline: { add: () => {} },
    elapsed: () => 0,
    onFault: () => {},
  });
  for (const action of actions) {
    audit.did(action, "ci", { exportId, profile: "kit", tenant: "default" });
  }
  audit.refused({ status: 403, actor: "ci", method: "GET", route: "/v1/exports", client: "::1" });
  log("WARN", "audit.left", "further refused requests not logged", { count: 1 });
  log("INFO", "service.started", "service started", { url: "http://127.0.0.1:8420" });
  log("INFO", "service.stopping", "service stopping");
  log("ERROR", "service.stopped", "service stopped", { error });
  log("WARN", "traces.failed", "spans not sent to the trace collector", { detail: "x" });
  log("INFO", "traces.sent", "trace collector available again");
  watchChecks(log, metrics)([{ name: "storage:write", status: "fail", output: "full", time: 0 }]);
  log("INFO", "store.removed", "expired bundles removed", { count: 1 });
  const bundle = { exportId, profile: "kit", tenant: "default" };
  log("INFO", "store.stray", "partial output of a failed export removed", bundle);
  log("WARN", "store.unknown", "bundles of unknown exports", { count: 1, ...bundle });
  log("ERROR", "store.damaged", "stored bundle differs from its manifest", {
    ...bundle,
    path: "x",
    detail: "x",
  });
  log("INFO", "store.scrubbed", "stored bundles scrubbed", { count: 1 });
  log("WARN", "schedule.skipped", "scheduled export skipped: the previous one has not ended", {});
  log("WARN", "schedule.late", "An export was due while the service was down", {});
  await drained(1_000);
  return lines.join("\n");
}

Deno.test(requiring(
  ["jq"],
  "every log query of the runbook finds its entries, with all fields that it prints",
  async () => {
    const input = await journal();
    const filters = [...runbook.matchAll(/'(fromjson\?[^']+)'/g)].map((one) => one[1] ?? "");
    ok(filters.length >= 9);
    for (const filter of filters) {
      const { code, output } = run(tool("jq") ?? "jq", ["-Rc", "--arg", "d", "x", filter], input);
      equal(code, 0, output);
      const found = output.trim().split("\n").filter((line) => line !== "");
      ok(found.length >= 1 && found.length < input.split("\n").length - 1, `${filter}: ${output}`);
      const lines = found.map((line) => JSON.parse(line) as Record<string, unknown>);
      const shown = /\| \{([^}]+)\}$/.exec(filter)?.[1]?.split(", ") ?? [];
      const empty = shown.filter((field) => lines.every((line) => line[field] === null));
      deepEqual(empty, [], filter);
    }
  },
));

Deno.test("the runbook explains exactly the events that are logged", async () => {
  const rows = section("## Logs and traces").match(/^\| `.+?(?= \|)/gm)?.join() ?? "";
  const explained = [...rows.matchAll(/`([\w.]+)`/g)].map((one) => one[1]);
  const logged = [...(await journal()).matchAll(/"event":"([\w.]+)"/g)].map((one) => one[1]);
  deepEqual(new Set(explained), new Set(logged));
});
