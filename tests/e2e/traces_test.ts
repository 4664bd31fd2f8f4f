/**
 * One export is one trace through API, queue, worker and registry: in our sink, and in a real
 * OpenTelemetry collector where there is one. With traces off no connection is opened, which strace
 * confirms.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requiring, tool } from "../support/needs.ts";
import { freePort, Home, programWords, root, Service, startSpans } from "../support/program.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";
import { binaryTest, form } from "./binary_place.ts";
import { collector } from "./collector.ts";
import { configureStella } from "../support/site.ts";

const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const traceparent = `00-${caller.traceId}-${caller.spanId}-01`;

interface WireSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: { key: string; value: { stringValue?: string } }[];
}

/** A service whose profile `pushed` goes to a registry, sending its traces to `endpoint`. */
async function exportOnce(home: Home, endpoint: string): Promise<string> {
  const registry = await new FakeRegistry().start();
  configureStella(home, {
    registries: { site: { url: `http://${registry.host}` } },
    traces: { endpoint },
    profiles: {
      pushed: {
        kind: "files",
        sources: [{ files: join(root, "tests/fixtures/sample") }],
        targets: [{ registry: "site", repository: "exports/a", tag: "latest" }],
      },
    },
  });
  const service = await home.serve();
  try {
    const job = await service.export({ profile: "pushed" }, { traceparent });
    assert.equal(job.state, "succeeded", service.log);
    return job.id;
  } finally {
    await service.stop();
    await registry.stop();
  }
}

/** Asserts that the received spans are one tree below the caller's span. */
function checkTree(spans: WireSpan[], exportId: string): void {
  const stages = ["plan", "read", "sign", "store", "verify", "push", "store"];
  const expected = [
    "POST /v1/exports",
    "export",
    "export.queue",
    "export.attempt",
    "registry.push",
    ...stages.map((stage) => `export.stage ${stage}`),
  ];
  assert.deepEqual(spans.map((one) => one.name).sort(), expected.sort());
  assert.deepEqual(new Set(spans.map((one) => one.traceId)), new Set([caller.traceId]));
  const byId = new Map(spans.map((one) => [one.spanId, one]));
  const path = (span: WireSpan): string[] => {
    const parent = byId.get(span.parentSpanId ?? "");
    return parent === undefined ? [span.name] : [...path(parent), span.name];
  };
  const push = spans.find((one) => one.name === "registry.push") as WireSpan;
  assert.deepEqual(path(push), [
    "POST /v1/exports",
    "export",
    "export.attempt",
    "export.stage push",
    "registry.push",
  ]);
  const roots = spans.filter((one) => !byId.has(one.parentSpanId ?? ""));
  assert.deepEqual(roots.map((one) => one.parentSpanId), [caller.spanId]);
  for (const span of spans) {
    const of = Object.fromEntries(span.attributes.map((one) => [one.key, one.value.stringValue]));
    assert.deepEqual([of["exportId"], of["profile"], of["tenant"]], [
      exportId,
      "pushed",
      "default",
    ]);
  }
}

Deno.test("one export's spans arrive in the sink as one trace below the caller's", async () => {
  const home = new Home();
  const sink = await startSpans(home, "carried/spans.ndjson");
  try {
    const exportId = await exportOnce(home, sink.url);
    const lines = readFileSync(join(home.path, "carried/spans.ndjson"), "utf8").trim().split("\n");
    const resources = lines.flatMap((line) => JSON.parse(line).resourceSpans);
    const spans = resources.flatMap((one) => one.scopeSpans).flatMap((one) => one.spans);
    checkTree(spans, exportId);
    const service = resources[0].resource.attributes
      .find((one: { key: string }) => one.key === "service.name");
    assert.equal(service.value.stringValue, "stella");
  } finally {
    assert.equal(await sink.stop(), 0);
    home.remove();
  }
});

Deno.test(requiring(
  { others: { otelcol: collector() !== undefined } },
  "one export's spans arrive in a real OpenTelemetry collector",
  async () => {
    const home = new Home();
    const port = freePort();
    const shipped = readFileSync(join(root, "dashboards/otel-collector.yaml"), "utf8");
    const config = join(home.path, "collector.yaml");
    writeFileSync(config, shipped.replaceAll("127.0.0.1:4318", `127.0.0.1:${port}`));
    const child = new Deno.Command(collector()!, {
      args: ["--config", config],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const running = new Service(child);
    try {
      await running.logged(/Everything is ready/);
      const exportId = await exportOnce(home, `http://127.0.0.1:${port}`);
      const seen = () => [...running.log.matchAll(/Trace ID +: (\w+)[^]*?(?=Span #|$)/g)];
      await running.logged(/(Trace ID +: [^]*?){12}/);
      assert.deepEqual(new Set(seen().map((one) => one[1])), new Set([caller.traceId]));
      for (const [block] of seen()) assert.ok(block.includes(`exportId: Str(${exportId})`), block);
      assert.match(running.log, /Parent ID +: 00f067aa0ba902b7\n[^]*?Name +: POST \/v1\/exports/);
      assert.doesNotMatch(running.log, /\terror\t|Exporting failed/);
    } finally {
      await running.stop();
      home.remove();
    }
  },
));

/** A signal to strace does not reach the traced program, so its child is signalled. */
function endTraced(strace: number): void {
  const children = readFileSync(`/proc/${strace}/task/${strace}/children`, "utf8");
  Deno.kill(Number(children.trim().split(" ")[0]), "SIGTERM");
}

/**
 * Serves, exports and stops under strace.
 * @returns its lines about connections that leave the process
 */
async function connections(env: Record<string, string>): Promise<string[]> {
  const home = new Home();
  try {
    const { child, trace } = servedUnderStrace(home, env);
    const service = new Service(child);
    try {
      await service.answers();
      const { state } = await service.export({ profile: "kit" }, { traceparent });
      assert.equal(state, "succeeded");
      assert.equal((await service.get("/status")).features.traces, false);
    } finally {
      endTraced(child.pid);
    }
    assert.equal((await child.status).code, 0);
    return outgoing(trace);
  } finally {
    home.remove();
  }
}

function servedUnderStrace(home: Home, env: Record<string, string>) {
  mkdirSync(home.state, { recursive: true });
  const trace = join(home.path, "trace.txt");
  const options = ["-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", trace];
  const words = [...programWords(), "serve", "--listen", "127.0.0.1:0"];
  const child = new Deno.Command(tool("strace") ?? "strace", {
    args: [...options, ...words],
    cwd: home.path,
    env: home.environment({ DENO_NO_UPDATE_CHECK: "1", ...env }),
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return { child, trace };
}

function outgoing(trace: string): string[] {
  const lines = readFileSync(trace, "utf8").split("\n");
  return lines.filter((line) => /connect\(|sin6?_(port|addr)/.test(line));
}

Deno.test(requiring(
  ["strace"],
  "with traces off no connection is opened, whatever trace context a caller sends",
  async () => {
    assert.deepEqual(await connections({}), []);
  },
));

/**
 * When run from source, Deno reads the variable before the program starts (src/docs/security.md).
 */
Deno.test(binaryTest(
  ["strace"],
  "with traces off no connection is opened under OTEL_DENO=true with an endpoint in the environment",
  async ({ home }) => {
    const endpoint = `http://127.0.0.1:${freePort()}`;
    const env = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
    if (form === "portable") return assert.deepEqual(await connections(env), []);
    // Without a launcher that leaves the variable out, the program sees it and does not serve
    // beside it.
    const { child, trace } = servedUnderStrace(home, env);
    const { code, stderr } = await child.output();
    assert.equal(code, 2);
    assert.match(new TextDecoder().decode(stderr), /Cannot use the network while OTEL_DENO is set/);
    assert.deepEqual(outgoing(trace), []);
  },
));
