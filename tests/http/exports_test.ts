import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { scopes } from "../../src/config/service.ts";
import { StellaError } from "../../src/domain/errors.ts";
import { ioError } from "../../src/domain/io_errors.ts";
import { databaseError } from "../../src/jobs/sqlite/sql.ts";
import { Bench, config } from "./bench.ts";

Deno.test("a requested export is accepted and found at the URL in Location", async () => {
  using bench = new Bench();
  const answer = await bench.post({ profile: "advisories" });
  const body = await answer.json();
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("location"), `/v1/exports/${body.id}`);
  assert.match(body.id, /^019b76da-a800-7/);
  assert.deepEqual(body, {
    id: body.id,
    state: "queued",
    profile: "advisories",
    tenant: "default",
    trigger: "api",
    actor: "anonymous",
    createdAt: "2026-01-01T00:00:00.000Z",
    startedAt: null,
    endedAt: null,
    seconds: null,
    attempts: 0,
    bytes: null,
    files: null,
    sameAs: null,
    bundleDigest: null,
    error: null,
  });
  assert.deepEqual(await (await bench.get(answer.headers.get("location")!)).json(), body);
  assert.deepEqual(bench.queued.map((job) => job.id), [body.id]);
});

Deno.test("an export has its requester, duration and bundle size", async () => {
  const sha256 = createHash("sha256").update("secret").digest("hex");
  const tokens = [{ name: "ci", sha256, tenants: ["default"], scopes: [...scopes] }];
  using bench = new Bench({ config: { ...config, tokens } });
  const headers = { authorization: "Bearer secret", "user-agent": "stella/0.1.0" };
  const { id } = await (await bench.post({ profile: "kit" }, headers)).json();
  bench.now += 60_000;
  const job = bench.queue.claim()!;
  bench.now += 2_500;
  bench.queue.finish(job, { state: "succeeded", bundleDigest: "ab", bytes: 7, files: 3 });
  const body = await (await bench.get(`/v1/exports/${id}`, headers)).json();
  assert.deepEqual(
    [body.trigger, body.actor, body.attempts, body.bytes, body.files],
    ["cli", "ci", 1, 7, 3],
  );
  assert.deepEqual([body.createdAt, body.startedAt, body.endedAt, body.seconds], [
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:01:00.000Z",
    "2026-01-01T00:01:02.500Z",
    2.5,
  ]);
});

Deno.test("the error of a failed export has no local paths, in the export and in its timeline", async () => {
  using bench = new Bench();
  const { id } = await (await bench.post({ profile: "kit" })).json();
  const job = bench.queue.claim()!;
  const error = {
    code: "usage",
    message: "Cannot read \"/srv/secret-path/hmac.key\": EACCES, open '/srv/secret-path/hmac.key'",
    hint: "put back /srv/secret-path/hmac.key",
    findings: [{
      code: "usage" as const,
      reason: "x",
      path: "a.json",
      found: "/srv/secret-path/b",
    }],
  };
  bench.queue.finish(job, { state: "failed", error });
  bench.timeline.add({ exportId: id, tenant: "default", profile: "kit" }, "failed", { error });
  const shown = await (await bench.get(`/v1/exports/${id}`)).text();
  assert.match(shown, /Cannot read \\"hmac.key\\": EACCES, open 'hmac.key'/);
  assert.match(shown, /"hint":"put back hmac.key"/);
  for (const path of [`/v1/exports/${id}`, "/v1/exports", "/v1/timeline"]) {
    assert.doesNotMatch(await (await bench.get(path)).text(), /secret-path/, path);
  }
  const events = await (await bench.get(`/v1/exports/${id}/events`)).text();
  assert.match(events, /event: end/);
  assert.doesNotMatch(events, /secret-path/);
});

Deno.test("all options reach the job", async () => {
  using bench = new Bench();
  const options = { compression: "none", layout: "archive", volumeSize: "700MB" };
  await bench.post({ profile: "kit", tenant: "lab", ...options });
  assert.deepEqual(bench.queued[0]?.request, options);
  assert.equal(bench.queued[0]?.tenant, "lab");
});

Deno.test("a finished export has its digest, a failed one its error", async () => {
  using bench = new Bench();
  await bench.post({ profile: "kit" });
  await bench.post({ profile: "kit" });
  const [first, second] = [bench.queue.claim()!, bench.queue.claim()!];
  bench.queue.finish(first, { state: "succeeded", bundleDigest: "ab" });
  const error = { code: "unsafe", message: "Cannot pack", hint: "rename it" };
  bench.queue.finish(second, { state: "failed", error });
  const [a, b] = await Promise.all(
    [first, second].map(async ({ id }) => await (await bench.get(`/v1/exports/${id}`)).json()),
  );
  assert.deepEqual([a.state, a.bundleDigest, a.error], ["succeeded", "ab", null]);
  assert.deepEqual([b.state, b.bundleDigest, b.error], ["failed", null, error]);
});

Deno.test("all errors of a request are reported at once, and nothing is queued", async () => {
  using bench = new Bench();
  const answer = await bench.post({
    profile: "../x",
    tenant: "nobody",
    compression: "gzip",
    layout: "tar",
    volumeSize: "many",
    path: "/etc",
  });
  const body = await answer.json();
  assert.equal(answer.status, 400);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.deepEqual(body.errors.map((error: { path: string }) => error.path).sort(), [
    "compression",
    "layout",
    "path",
    "profile",
    "tenant",
    "volumeSize",
  ]);
  assert.deepEqual([body.status, body.title, body.code], [400, "Bad Request", "usage"]);
  assert.equal(bench.queue.figures().queued, 0);
});

Deno.test("invalid combinations of options are refused before anything is queued", async () => {
  const pushed = { ...config.profiles.get("kit")!, name: "pushed" };
  pushed.targets = [{ registry: "site", repository: "r", tag: "t" }];
  const profiles = new Map([...config.profiles, ["pushed", pushed]]);
  using bench = new Bench({ config: { ...config, profiles } });
  const cases: [Record<string, string>, string, RegExp][] = [
    [{ volumeSize: "1" }, "volumeSize", /at least 8M/],
    [{ volumeSize: "7M" }, "volumeSize", /at least 8M/],
    [{ volumeSize: "999999999999G" }, "volumeSize", /at least 8M/],
    [{ volumeSize: "999999999999999G" }, "volumeSize", /not a size/],
    [{ layout: "directory", volumeSize: "fat32" }, "volumeSize", /for the layout archive/],
    [{ profile: "pushed", layout: "directory" }, "layout", /registry among its targets/],
  ];
  for (const [options, path, message] of cases) {
    const answer = await bench.post({ profile: "kit", ...options });
    assert.equal(answer.status, 400, JSON.stringify(options));
    const { errors } = await answer.json();
    assert.deepEqual([errors.length, errors[0].path], [1, path]);
    assert.match(errors[0].message, message);
  }
  assert.deepEqual(bench.queued, []);
  const good = [{ volumeSize: "8M" }, { layout: "directory" }, { profile: "pushed" }];
  for (const options of good) {
    assert.equal((await bench.post({ profile: "kit", ...options })).status, 202);
  }
});

Deno.test("unknown names are refused with the same answer, however they are spelled", async () => {
  using bench = new Bench();
  for (
    const name of ["../x", "%2e%2e", "\0", "__proto__", "constructor", "x".repeat(300), "Kit", ""]
  ) {
    for (const body of [{ profile: name }, { profile: "kit", tenant: name }]) {
      assert.equal((await bench.post(body)).status, 400, JSON.stringify(body));
    }
  }
  assert.deepEqual(bench.queued, []);
});

Deno.test("a body that is not a JSON object is refused", async () => {
  using bench = new Bench();
  for (const body of ["", "{", "null", "[]", "7", '"kit"', "{}", '{"profile":7}']) {
    assert.equal((await bench.post(body)).status, 400, body);
  }
  assert.equal((await bench.post("[".repeat(10_000))).status, 400);
});

Deno.test("a body of another media type, which a form of another site could send, is refused", async () => {
  using bench = new Bench();
  const types = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
  ];
  for (const type of [...types, "application/jsonx", ""]) {
    const answer = await bench.post({ profile: "kit" }, { "content-type": type });
    assert.equal(answer.status, 415, type);
  }
  const spelled = { "content-type": "Application/JSON; charset=utf-8" };
  assert.equal((await bench.post({ profile: "kit" }, spelled)).status, 202);
});

Deno.test("a compressed body is refused, and the answer names the accepted encoding", async () => {
  using bench = new Bench();
  for (const coding of ["gzip", "br", "identity, gzip"]) {
    const answer = await bench.post({ profile: "kit" }, { "content-encoding": coding });
    assert.deepEqual([answer.status, answer.headers.get("accept-encoding")], [415, "identity"]);
    assert.match((await answer.json()).detail, /not be compressed/);
  }
  for (const coding of ["", "identity", "Identity"]) {
    const answer = await bench.post({ profile: "kit" }, { "content-encoding": coding });
    assert.equal(answer.status, 202, coding);
  }
});

Deno.test("a large body is refused, with or without a declared length", async () => {
  using bench = new Bench();
  const large = JSON.stringify({ profile: "x".repeat(70_000) });
  assert.equal((await bench.post(large)).status, 413);
  let pulled = 0;
  const endless = new ReadableStream({
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(16 * 1024));
    },
  });
  const answer = await bench.app.request("http://127.0.0.1/v1/exports", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: endless,
  });
  assert.equal(answer.status, 413);
  assert.ok(pulled < 10, `${pulled} pieces were read`);
});

Deno.test("two requests with one idempotency key make one export", async () => {
  using bench = new Bench();
  const key = { "idempotency-key": "nightly-2026-01-01" };
  const [first, second] = [
    await bench.post({ profile: "kit" }, key),
    await bench.post({ profile: "kit" }, key),
  ];
  assert.deepEqual([first.status, second.status], [202, 202]);
  assert.equal(first.headers.get("location"), second.headers.get("location"));
  assert.equal(bench.queued.length, 1);
});

Deno.test("an idempotency key of another request is 422, and an invalid key is refused", async () => {
  using bench = new Bench();
  const key = { "idempotency-key": "k" };
  await bench.post({ profile: "kit" }, key);
  const answer = await bench.post({ profile: "advisories" }, key);
  assert.equal(answer.status, 422);
  assert.match((await answer.json()).detail, /idempotency key was used for another request/);
  for (const wrong of ["a b", "x".repeat(256), "\u00fc"]) {
    assert.equal((await bench.post({ profile: "kit" }, { "idempotency-key": wrong })).status, 400);
  }
  assert.equal((await bench.post({ profile: "kit", tenant: "lab" }, key)).status, 202);
});

Deno.test("an unknown export is 404, a malformed id is 400", async () => {
  using bench = new Bench();
  const unknown = ["019b76da-a800-7000-8000-000000000000", "019b76da-a800-7000-8000-00000000000f"];
  const malformed = ["x", "..%2f..", "'", "__proto__"];
  for (const [ids, status] of [[unknown, 404], [malformed, 400]] as const) {
    const bodies = await Promise.all(ids.map(async (id) => {
      const answer = await bench.get(`/v1/exports/${id}`);
      assert.equal(answer.status, status, id);
      return await answer.text();
    }));
    assert.equal(new Set(bodies).size, 1, "the same answer for all");
  }
});

Deno.test("lists come in pages, newest first", async () => {
  using bench = new Bench();
  for (let n = 0; n < 5; n++) await bench.post({ profile: n % 2 === 0 ? "kit" : "advisories" });
  const ids = bench.queued.map((job) => job.id);
  const page = async (query: string) => {
    const answer = await bench.get(`/v1/exports?${query}`);
    assert.equal(answer.status, 200, query);
    const { items, next } = await answer.json();
    return { items: items.map((job: { id: string }) => ids.indexOf(job.id)), next };
  };
  const first = await page("limit=2");
  assert.deepEqual(first.items, [4, 3]);
  const second = await page(`limit=2&cursor=${first.next}`);
  assert.deepEqual(second.items, [2, 1]);
  const third = await page(`limit=2&cursor=${second.next}`);
  assert.deepEqual(third, { items: [0], next: null });
  assert.deepEqual((await page("profile=kit&state=queued&tenant=default")).items, [4, 2, 0]);
  assert.deepEqual((await page("limit=5")).next, null);
});

Deno.test("invalid list parameters are refused", async () => {
  using bench = new Bench();
  const queries = [
    "limit=0",
    "limit=501",
    "limit=x",
    "state=done",
    "cursor=x",
    "tenant=nobody",
    "a=b",
  ];
  for (const query of queries) {
    assert.equal((await bench.get(`/v1/exports?${query}`)).status, 400, query);
  }
});

Deno.test("a page continues after its cursor although that export was removed", async () => {
  using bench = new Bench();
  for (let n = 0; n < 3; n++) await bench.post({ profile: "kit" });
  const [first, second] = bench.queued.map((job) => job.id);
  bench.queue.cancel(second!);
  bench.queue.remove(second!);
  const answer = await bench.get(`/v1/exports?cursor=${second}`);
  const { items } = await answer.json();
  assert.deepEqual(items.map((job: { id: string }) => job.id), [first]);
});

Deno.test("a stopping service refuses exports with Retry-After", async () => {
  using bench = new Bench();
  bench.draining = true;
  const answer = await bench.post({ profile: "kit" });
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "10"]);
  assert.equal(bench.queue.figures().queued, 0);
});

Deno.test("a full disk is 507, another file error or a defect is 500, and no path is shown", async () => {
  using bench = new Bench();
  const ofFile = (code: string) =>
    ioError("Cannot write", "/srv/secret/tmp", Object.assign(new Error(code), { code }));
  const sqliteError = (errcode: number) => Object.assign(new Error("no"), { errcode });
  const faults: [Error, number, string][] = [
    [ofFile("ENOSPC"), 507, "io"],
    [ofFile("EDQUOT"), 507, "io"],
    [
      databaseError("Cannot queue /srv/secret", sqliteError(13)),
      507,
      "io",
    ],
    [databaseError("Cannot queue /srv/secret", sqliteError(10)), 500, "io"],
    [ofFile("ENOENT"), 500, "io"],
    [ofFile("EACCES"), 500, "io"],
    [ofFile("EIO"), 500, "io"],
    [ofFile("EEXIST"), 500, "io"],
    [
      new StellaError("medium_failed", "Cannot read /srv/secret: it ended too early"),
      500,
      "io",
    ],
    [new TypeError("secret detail of a defect"), 500, "defect"],
    [new Error("aborted"), 500, "defect"],
  ];
  for (const [fault, status, code] of faults) {
    bench.queue.enqueue = () => {
      throw fault;
    };
    const answer = await bench.post({ profile: "kit" });
    const text = await answer.text();
    assert.deepEqual([answer.status, JSON.parse(text).code], [status, code], fault.message);
    assert.doesNotMatch(text, /secret/, fault.message);
  }
  assert.equal(bench.faults.length, faults.length);
});

Deno.test("a database locked by another program is 503 with Retry-After", async () => {
  using bench = new Bench();
  const other = new DatabaseSync(join(bench.directory, "stella.db"));
  other.exec("BEGIN IMMEDIATE");
  const refused = await bench.post({ profile: "kit" });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assert.match((await refused.json()).detail, /database is locked/);
  assert.equal(bench.faults.length, 1);
  other.exec("ROLLBACK");
  other.close();
  assert.equal((await bench.post({ profile: "kit" })).status, 202);
});
