import assert from "node:assert/strict";
import { Bench } from "./bench.ts";

Deno.test("status has the build and the enabled features, and no path", async () => {
  using bench = new Bench();
  const answer = await bench.get("/status");
  const text = await answer.text();
  const { version, commit, buildDate, form, features } = JSON.parse(text);
  assert.deepEqual([version, commit, buildDate, form], [
    "0.1.0",
    "f".repeat(40),
    "unknown",
    "source",
  ]);
  const { directoryTargets, registryTargets, tokens, traces } = features;
  assert.deepEqual([directoryTargets, registryTargets, tokens, traces], [true, true, false, false]);
  assert.doesNotMatch(text, /secret-path/);
});

Deno.test("status has the digest of the binary if the service runs as one", async () => {
  const sha256 = "a".repeat(64);
  const binaryOf = async (binary?: Promise<string | undefined>) => {
    using bench = new Bench(binary === undefined ? {} : { binary });
    return (await (await bench.get("/status")).json()).binary;
  };
  assert.deepEqual(await binaryOf(Promise.resolve(sha256)), { sha256 });
  assert.equal(await binaryOf(Promise.resolve(undefined)), undefined);
  assert.equal(await binaryOf(), undefined);
});

Deno.test("profiles are listed with their public fields, without paths", async () => {
  using bench = new Bench();
  const text = await (await bench.get("/v1/profiles")).text();
  assert.deepEqual(JSON.parse(text), {
    items: [
      { name: "kit", kind: "kit", compression: "zstd", slaSeconds: null },
      { name: "advisories", kind: "files", compression: "zstd", slaSeconds: 900 },
    ],
    next: null,
  });
  assert.doesNotMatch(text, /secret-path/);
});

Deno.test("metrics are sent with the content type of their format", async () => {
  using bench = new Bench();
  const answer = await bench.get("/metrics");
  assert.deepEqual([answer.headers.get("content-type"), await answer.text()], [
    "text/plain; x=y",
    "metric 1\n",
  ]);
});

Deno.test("every answer has the security headers, refusals too", async () => {
  using bench = new Bench();
  for (const path of ["/status", "/metrics", "/health/liveness", "/nothing", "/v1/exports?x=y"]) {
    const { headers } = await bench.get(path);
    assert.equal(headers.get("cache-control"), "no-store", path);
    assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("access-control-allow-origin"), null, path);
  }
});

Deno.test("an unknown path is 404, another method on a known one is 405 with Allow", async () => {
  using bench = new Bench();
  const unknown = await bench.get("/v1/nothing");
  assert.equal(unknown.status, 404);
  assert.equal(unknown.headers.get("content-type"), "application/problem+json");
  const cases: [string, string, string][] = [
    ["DELETE", "/v1/exports", "POST, GET, HEAD"],
    ["OPTIONS", "/v1/exports", "POST, GET, HEAD"],
    ["PUT", "/v1/exports/019b76da-a800-7000-8000-000000000000", "GET, HEAD, DELETE"],
    ["POST", "/status", "GET, HEAD"],
    ["POST", "/health/readiness", "GET, HEAD"],
  ];
  for (const [method, path, allow] of cases) {
    const answer = await bench.app.request(`http://127.0.0.1${path}`, { method });
    assert.deepEqual(
      [answer.status, answer.headers.get("allow")],
      [405, allow],
      `${method} ${path}`,
    );
  }
});

Deno.test("HEAD answers as GET without a body", async () => {
  using bench = new Bench();
  for (const path of ["/status", "/health/liveness", "/health/readiness", "/v1/exports"]) {
    const answer = await bench.app.request(`http://localhost${path}`, { method: "HEAD" });
    assert.deepEqual([answer.status, await answer.text()], [200, ""], path);
  }
});

Deno.test("only the service's own names are accepted in Host or an absolute target", async () => {
  using bench = new Bench();
  const status = async (url: string, headers: Record<string, string> = {}) =>
    (await bench.app.request(url, { headers })).status;
  for (const host of ["127.0.0.1", "127.9.9.9:1", "localhost", "LOCALHOST:99", "[::1]:8420"]) {
    assert.equal(await status(`http://${host}/status`, { host }), 200, host);
  }
  const foreign = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"];
  for (const host of [...foreign, "[::2]", "0.0.0.0", "a b"]) {
    assert.equal(await status("http://127.0.0.1/status", { host }), 421, host);
  }
  assert.equal(await status("http://evil.example/status", { host: "127.0.0.1" }), 421);
  const { detail, hint } = await (await bench.get("/metrics", { host: "stella.site:9" })).json();
  assert.equal(detail, 'The host name "stella.site:9" is not served here');
  assert.match(hint, /service\.hosts/);
  const long = await bench.get("/metrics", { host: "x".repeat(5_000) });
  assert.ok((await long.text()).length < 500, "no more of it than a name can have");
});

Deno.test("requests of another origin are refused", async () => {
  using bench = new Bench();
  for (const origin of ["https://evil.example", "null", "http://localhost.evil.example", "x"]) {
    assert.equal((await bench.post({ profile: "kit" }, { origin })).status, 403, origin);
  }
  assert.deepEqual(bench.queued, []);
  assert.equal((await bench.get("/status", { origin: "http://localhost:8420" })).status, 200);
});

Deno.test("two Host headers and more than a hundred headers are refused", async () => {
  using bench = new Bench();
  const ask = async (rawHeaders: string[]) =>
    (await bench.app.request("http://127.0.0.1/status", {}, { incoming: { rawHeaders } })).status;
  const others = (count: number) => Array.from({ length: count }, (_, n) => [`x-${n}`, "y"]).flat();
  assert.equal(await ask(["Host", "127.0.0.1", ...others(99)]), 200);
  assert.equal(await ask(["Host", "127.0.0.1", ...others(100)]), 431);
  assert.equal(await ask(["Host", "127.0.0.1", "host", "127.0.0.1"]), 400);
});
