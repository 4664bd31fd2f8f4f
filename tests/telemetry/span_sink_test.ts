/** The sink, with Deno's own OpenTelemetry as a sender that we did not write. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { openNamed } from "../../src/output/named_file.ts";
import { isLoopbackHost } from "../../src/domain/loopback.ts";
import { tracesFromProtobuf, WireError } from "../../src/telemetry/sink/otlp_traces.ts";
import { openSink, type SinkOptions } from "../../src/telemetry/sink/span_sink.ts";
import { SpansFile } from "../../src/telemetry/sink/spans_file.ts";

const open = (path: string) => openNamed(path, 0o600, true);
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const traces = {
  resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId, name: "a\nb" }] }] }],
};

async function withSink(
  body: (post: Post, lines: string[]) => Promise<void>,
  keep?: SinkOptions["keep"],
): Promise<void> {
  const lines: string[] = [];
  const take = keep ?? ((line: string) => lines.push(line));
  const sink = await openSink({
    host: "127.0.0.1",
    port: 0,
    isOwnHost: isLoopbackHost,
    keep: take,
    onSpans: () => {},
  });
  const post: Post = async (content, headers = {}, path = "/v1/traces", method = "POST") => {
    const body = method === "GET" ? null : content as BodyInit;
    const answer = await fetch(sink.url + path, { method, body, headers: { ...json, ...headers } });
    return { status: answer.status, text: await answer.text() };
  };
  post.url = sink.url;
  try {
    await body(post, lines);
  } finally {
    await sink.close();
  }
}

interface Post {
  (
    content: string | Uint8Array,
    headers?: Record<string, string>,
    path?: string,
    method?: string,
  ): Promise<{ status: number; text: string }>;
  url?: string;
}

const json = { "content-type": "application/json" };
const protobuf = { "content-type": "application/x-protobuf" };

/** Field `number` with bytes in it. */
function field(number: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const length = bytes.length < 128
    ? [bytes.length]
    : [bytes.length & 0x7f | 0x80, bytes.length >> 7];
  return Uint8Array.of(number << 3 | 2, ...length, ...bytes);
}

const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

function inRequest(...spanFields: Uint8Array[]): Uint8Array {
  return field(1, field(2, field(2, joined(...spanFields))));
}

Deno.test("JSON is kept as one line", () =>
  withSink(async (post, lines) => {
    assert.deepEqual(await post(JSON.stringify(traces, null, 2)), { status: 200, text: "{}" });
    assert.deepEqual(lines, [JSON.stringify(traces)]);
    assert.ok(!lines[0]?.includes("\n"));
  }));

Deno.test("gzip is unpacked", () =>
  withSink(async (post, lines) => {
    const packed = gzipSync(JSON.stringify(traces));
    assert.equal((await post(packed, { "content-encoding": "gzip" })).status, 200);
    assert.equal(lines[0], JSON.stringify(traces));
  }));

Deno.test("protobuf becomes OTLP's JSON, field by field", () => {
  const double = new Uint8Array(new Float64Array([0.5]).buffer);
  const value = (content: Uint8Array) => joined(field(1, "k"), field(2, content));
  const bytes = inRequest(
    field(1, Uint8Array.fromHex(traceId)),
    field(2, Uint8Array.fromHex(spanId)),
    field(5, "read"),
    Uint8Array.of(6 << 3, 3),
    Uint8Array.of(7 << 3 | 1, 0x15, 0xcd, 0x5b, 0x07, 0, 0, 0, 0),
    field(9, value(field(1, "text"))),
    field(9, value(Uint8Array.of(3 << 3, ...new Array(9).fill(0xff), 1))),
    field(9, value(Uint8Array.of(4 << 3 | 1, ...double))),
    field(9, value(Uint8Array.of(2 << 3, 1))),
    field(9, value(field(5, field(1, field(1, "in a list"))))),
    field(9, value(field(7, Uint8Array.of(1, 2, 3)))),
    field(15, joined(field(2, "why"), Uint8Array.of(3 << 3, 2))),
    // Field 100, which this version does not know.
    Uint8Array.of(0xa2, 0x06, 1, 0x61),
  );
  const { count, line } = tracesFromProtobuf(bytes);
  assert.equal(count, 1);
  assert.deepEqual(JSON.parse(line), {
    resourceSpans: [{
      scopeSpans: [{
        spans: [{
          traceId,
          spanId,
          name: "read",
          kind: 3,
          startTimeUnixNano: "123456789",
          attributes: [
            { key: "k", value: { stringValue: "text" } },
            { key: "k", value: { intValue: "-1" } },
            { key: "k", value: { doubleValue: 0.5 } },
            { key: "k", value: { boolValue: true } },
            { key: "k", value: { arrayValue: { values: [{ stringValue: "in a list" }] } } },
            { key: "k", value: { bytesValue: "AQID" } },
          ],
          status: { message: "why", code: 2 },
        }],
      }],
    }],
  });
});

Deno.test("truncated protobuf is refused or gives fewer spans", () => {
  const whole = inRequest(field(1, Uint8Array.fromHex(traceId)), field(5, "read"));
  for (let length = 1; length < whole.length; length++) {
    assert.throws(() => tracesFromProtobuf(whole.subarray(0, length)), WireError);
  }
});

const nested = () => {
  let value = field(1, "deep");
  for (let n = 0; n < 80; n++) value = field(5, field(1, value));
  return inRequest(field(9, field(2, value)));
};
const hostile: Record<string, [Uint8Array, RegExp]> = {
  "values that lie too deep": [nested(), /too deep/],
  "a number without end": [new Uint8Array(20).fill(0xff), /too long/],
  "a length of gigabytes": [Uint8Array.of(1 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0x0f), /truncated/],
  "a group": [Uint8Array.of(1 << 3 | 3), /wire type/],
  "field 0": [Uint8Array.of(0, 0), /number 0/],
  "a number where a message goes": [Uint8Array.of(1 << 3, 1), /unexpected type/],
};
for (const [what, [bytes, reason]] of Object.entries(hostile)) {
  Deno.test(`protobuf with ${what} is refused`, () => {
    assert.throws(() => tracesFromProtobuf(bytes), (error) => {
      assert.ok(error instanceof WireError);
      assert.match(error.message, reason);
      return true;
    });
  });
}

const good = JSON.stringify(traces);
const refusals: [string, number, Parameters<Post>][] = [
  ["no JSON", 400, ["{"]],
  ["JSON of something else", 400, ["[]"]],
  ["spans that are no list", 400, [`{"resourceSpans":[{"scopeSpans":[{"spans":{}}]}]}`]],
  ["a span without ids", 400, [good.replace(traceId, "x")]],
  ["a protobuf span without ids", 400, [inRequest(field(5, "read")), protobuf]],
  ["protobuf that is none", 400, [Uint8Array.of(0xff), protobuf]],
  ["a type that a foreign page could send", 415, [good, { "content-type": "text/plain" }]],
  ["an encoding that it does not know", 415, [good, { "content-encoding": "br" }]],
  ["gzip that is none", 400, [good, { "content-encoding": "gzip" }]],
  ["a bomb", 400, [gzipSync(new Uint8Array(65 * 1024 * 1024)), { "content-encoding": "gzip" }]],
  ["a body that is too long", 413, [" ".repeat(8 * 1024 * 1024 + 1)]],
  ["another path", 404, [good, {}, "/v1/logs"]],
  ["another method", 405, ["", {}, "/v1/traces", "GET"]],
];
for (const [what, status, request] of refusals) {
  Deno.test(`the sink refuses ${what} with ${status}, and keeps nothing of it`, () =>
    withSink(async (post, lines) => {
      assert.equal((await post(...request)).status, status);
      assert.deepEqual(lines, []);
    }));
}

Deno.test("spans that cannot be stored are answered 503, so that the sender retries", () =>
  withSink(async (post) => {
    const answer = await post(good);
    assert.deepEqual([answer.status, JSON.parse(answer.text).message], [503, "disk full"]);
  }, () => {
    throw new Error("disk full");
  }));

for (const [protocol, type] of [["http/protobuf", "protobuf"], ["http/json", "JSON"]]) {
  Deno.test(`the sink keeps the spans of another OpenTelemetry, sent as ${type}`, () =>
    withSink(async (post, lines) => {
      const dir = mkdtempSync(join(tmpdir(), "stella-otel-"));
      const script = join(dir, "sender.ts");
      writeFileSync(
        script,
        `await Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: async ({ port }) => {
        await (await fetch("http://127.0.0.1:" + port + "/x")).text(); Deno.exit(0); } },
        () => new Response("ok")).finished;`,
      );
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-config", script],
        env: {
          OTEL_DENO: "true",
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol!,
          OTEL_EXPORTER_OTLP_ENDPOINT: post.url!,
          OTEL_SERVICE_NAME: "other",
        },
      }).output();
      rmSync(dir, { recursive: true });
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      const found = lines.map((line) => JSON.parse(line));
      const resources = found.flatMap((one) => one.resourceSpans);
      const spans = resources.flatMap((one) => one.scopeSpans).flatMap((one) => one.spans);
      assert.ok(spans.length >= 2, `${spans.length} spans`);
      const [client, server] = [3, 2].map((kind) => spans.find((one) => one.kind === kind));
      assert.equal(server.parentSpanId, client.spanId);
      assert.equal(server.traceId, client.traceId);
      assert.ok(BigInt(server.endTimeUnixNano) > BigInt(server.startTimeUnixNano));
      const service = resources[0].resource.attributes
        .find((one: { key: string }) => one.key === "service.name");
      assert.deepEqual(service.value, { stringValue: "other" });
    }));
}

Deno.test("a full file is rotated to .1 and .2, and the oldest is removed", () => {
  const dir = mkdtempSync(join(tmpdir(), "stella-spans-"));
  try {
    const path = join(dir, "spans.ndjson");
    const file = new SpansFile({ path, open, size: 25, keep: 2 });
    for (let n = 0; n < 8; n++) file.add(`line ${n} abc`);
    file.close();
    assert.deepEqual(readdirSync(dir).sort(), ["spans.ndjson", "spans.ndjson.1", "spans.ndjson.2"]);
    assert.equal(readFileSync(path, "utf8"), "line 6 abc\nline 7 abc\n");
    assert.equal(readFileSync(`${path}.1`, "utf8"), "line 4 abc\nline 5 abc\n");
    assert.equal(readFileSync(`${path}.2`, "utf8"), "line 2 abc\nline 3 abc\n");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const again = new SpansFile({ path, open, size: 1_000, keep: 2 });
    again.add("on");
    again.close();
    assert.equal(readFileSync(path, "utf8"), "line 6 abc\nline 7 abc\non\n");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

Deno.test("a request with another host name is refused, against DNS rebinding", () =>
  withSink(async (post, lines) => {
    const { port } = new URL(post.url!);
    const asked = async (hosts: string[]) => {
      const body = JSON.stringify(traces);
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      const head = [
        "POST /v1/traces HTTP/1.1",
        ...hosts.map((host) => `Host: ${host}`),
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
        "Connection: close",
      ];
      await connection.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n${body}`));
      const answer = await new Response(connection.readable).text();
      return Number(answer.split(" ")[1]);
    };
    const own = [
      `127.0.0.1:${port}`,
      "localhost",
      `LOCALHOST:${port}`,
      `[::1]:${port}`,
      "127.9.9.9",
    ];
    for (const host of own) assert.equal(await asked([host]), 200, host);
    const others = [
      "evil.test",
      `evil.test:${port}`,
      "127.0.0.1.evil.test",
      "10.0.0.1",
      "a b",
      "@",
    ];
    for (const host of others) assert.ok([400, 421].includes(await asked([host])), host);
    assert.equal(await asked([]), 400);
    assert.equal(await asked(["localhost", "evil.test"]), 400);
    assert.equal(lines.length, own.length);
  }));
