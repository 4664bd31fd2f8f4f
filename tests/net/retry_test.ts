import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { StellaError } from "../../src/domain/errors.ts";
import { broken } from "../../src/net/connection_failure.ts";
import { refused, RemoteError } from "../../src/net/failure.ts";
import { withRetries } from "../../src/net/retry.ts";
import { systemTiming } from "../support/timing.ts";
import { FakeTiming } from "../support/registry/fake_bundle.ts";

const outgoing = { method: "GET", url: new URL("https://r.test/v2/a?_state=secret") } as const;

function answer(status: number, headers: Record<string, string> = {}) {
  return { status, header: (name: string) => headers[name], body: new Uint8Array() };
}

/** Fails `times` times with `error`, and says how it ended and what was waited. */
async function run(error: Error, times: number, timing = new FakeTiming()) {
  let calls = 0;
  const result = await withRetries(() => {
    calls++;
    return calls <= times ? Promise.reject(error) : Promise.resolve("done");
  }, timing).catch((thrown: unknown) => thrown);
  return { calls, result, waits: timing.waits };
}

Deno.test("a transient failure is retried up to five times, with growing waits", async () => {
  const { calls, result, waits } = await run(refused(outgoing, answer(503)), 9);
  assert.equal(calls, 5);
  assert.deepEqual(waits, [375, 750, 1500, 3000]);
  assert(result instanceof RemoteError);
  assert.equal(result.reason, "server_error");
  assert.equal(result.message, "GET https://r.test/v2/a: 503 Service Unavailable (5 attempts)");
});

Deno.test("the error code of a registry decides about a digest, not the text of a message", () => {
  const of = (...errors: { code: string; message: string }[]) => {
    const body = new TextEncoder().encode(JSON.stringify({ errors }));
    return refused(outgoing, { ...answer(400), body }).reason;
  };
  const message = "DIGEST_INVALID or not";
  assert.equal(of({ code: "MANIFEST_INVALID", message }), "rejected");
  assert.equal(of({ code: "", message }), "rejected");
  assert.equal(
    of({ code: "BLOB_UPLOAD_INVALID", message }, { code: "DIGEST_INVALID", message }),
    "digest_mismatch",
  );
});

Deno.test("an error body that is not UTF-8 still gives its code", () => {
  const text = JSON.stringify({ errors: [{ code: "DIGEST_INVALID", message: "ungültig" }] });
  const body = Buffer.from(text, "latin1");
  const { reason, message } = refused(outgoing, { ...answer(400), body });
  assert.equal(reason, "digest_mismatch");
  assert.match(message, /: 400 DIGEST_INVALID: ung.+ltig$/);
});

Deno.test("jitter keeps a wait between half and the whole of its step", async () => {
  for (const [random, expected] of [[0, 250], [0.999, 499.75]] as const) {
    const timing = Object.assign(new FakeTiming(), { random: () => random });
    const { waits } = await run(refused(outgoing, answer(500)), 1, timing);
    assert.deepEqual(waits, [expected]);
  }
});

Deno.test("a success ends the retries", async () => {
  assert.deepEqual((await run(refused(outgoing, answer(429)), 2)).result, "done");
});

Deno.test("Retry-After in seconds is waited for", async () => {
  const { waits } = await run(refused(outgoing, answer(429, { "retry-after": "7" })), 1);
  assert.deepEqual(waits, [7000]);
});

Deno.test("Retry-After as a date is measured by the registry's own clock", async () => {
  const headers = {
    date: "Thu, 01 Jan 1998 00:00:00 GMT",
    "retry-after": "Thu, 01 Jan 1998 00:00:09 GMT",
  };
  assert.deepEqual((await run(refused(outgoing, answer(503, headers)), 1)).waits, [9000]);
});

Deno.test("an invalid or past Retry-After leaves the usual wait", async () => {
  const date = "Thu, 01 Jan 1998 00:00:09 GMT";
  for (const value of ["soon", "-5", "Thu, 01 Jan 1998 00:00:00 GMT"]) {
    const error = refused(outgoing, answer(503, { date, "retry-after": value }));
    assert.deepEqual((await run(error, 1)).waits, [375], value);
  }
});

Deno.test("a Retry-After of hours ends the retries at once", async () => {
  const error = refused(outgoing, answer(429, { "retry-after": "7200" }));
  const { calls, result, waits } = await run(error, 9);
  assert.deepEqual([calls, waits], [1, []]);
  assert(result instanceof RemoteError);
  assert.equal(result.reason, "rejected");
  assert.equal(result.hint, "the registry asks to wait 7200 s: push again then");
});

const classes: [string, Error, string, boolean][] = [
  ["401", refused(outgoing, answer(401)), "auth", false],
  ["403", refused(outgoing, answer(403)), "auth", false],
  ["400", refused(outgoing, answer(400)), "rejected", false],
  ["404", refused(outgoing, answer(404)), "rejected", false],
  ["413", refused(outgoing, answer(413)), "rejected", false],
  ["307", refused(outgoing, answer(307)), "rejected", false],
  ["408", refused(outgoing, answer(408)), "timeout", true],
  ["425", refused(outgoing, answer(425)), "rejected", true],
  ["429", refused(outgoing, answer(429)), "rejected", true],
  ["500", refused(outgoing, answer(500)), "server_error", true],
  ["501", refused(outgoing, answer(501)), "server_error", false],
  ["502", refused(outgoing, answer(502)), "server_error", true],
  ["504", refused(outgoing, answer(504)), "server_error", true],
  ["a reset", thrown("ECONNRESET"), "reset", true],
  ["a broken pipe", thrown("EPIPE"), "reset", true],
  ["a refused connection", thrown("ECONNREFUSED"), "reset", true],
  ["an unknown name", thrown("ENOTFOUND"), "reset", false],
  ["a time limit", thrown("ETIMEDOUT"), "timeout", true],
  ["an expired certificate", thrown("CERT_HAS_EXPIRED"), "auth", false],
  ["a certificate of another", thrown("ERR_TLS_CERT_ALTNAME_INVALID"), "auth", false],
];

function thrown(code: string): RemoteError {
  return broken(outgoing, Object.assign(new Error(`it broke: ${code}`), { code }));
}

for (const [what, error, reason, again] of classes) {
  Deno.test(`${what} counts as ${reason} and is ${again ? "" : "not "}tried again`, async () => {
    assert(error instanceof RemoteError);
    assert.deepEqual([error.kind, error.reason], ["remote", reason]);
    assert.equal((await run(error, 9)).calls, again ? 5 : 1);
    assert(!error.message.includes("secret"), "the query is shown");
  });
}

Deno.test("a local error is not retried", async () => {
  assert.equal((await run(new StellaError("digest_mismatch", "It differs"), 9)).calls, 1);
});

Deno.test("the error body is shown escaped and shortened", () => {
  const body = (value: unknown) => ({
    ...answer(400),
    body: new TextEncoder().encode(JSON.stringify(value)),
  });
  const reported = (value: unknown) =>
    refused(outgoing, body(value)).message.slice("GET https://r.test/v2/a: ".length);
  assert.equal(
    reported({
      errors: [{ code: "NAME_INVALID", message: "no\u001b[2J\u202e" }, { code: "DENIED" }],
    }),
    "400 NAME_INVALID: no\\u{1b}[2J\\u{202e}; DENIED",
  );
  assert.equal(reported({ errors: [{ code: 7, message: {} }, null] }), "400 Bad Request");
  assert.equal(reported("<html>"), "400 Bad Request");
  assert.equal(reported({ errors: [{ code: "X", message: "y".repeat(1000) }] }).length, 404);
  const digest = refused(outgoing, body({ errors: [{ code: "DIGEST_INVALID", message: "" }] }));
  assert.equal(digest.reason, "digest_mismatch");
});

Deno.test("a wait ends as soon as the signal is aborted", async () => {
  const stop = new AbortController();
  const wait = systemTiming.sleep(60_000, stop.signal);
  stop.abort();
  await assert.rejects(
    wait,
    (error) => error instanceof StellaError && error.kind === "interrupted",
  );
  await assert.rejects(systemTiming.sleep(60_000, stop.signal), { kind: "interrupted" });
});
