/**
 * Pushes with registry faults. Every test asserts that its fault happened, and the class it ended
 * in.
 */
import assert from "node:assert/strict";
import type { Timeouts } from "../../src/net/exchange.ts";
import { RemoteError, type RemoteReason } from "../../src/net/failure.ts";
import { digestOf, fail, type Handler } from "../support/registry/fake_registry.ts";
import {
  accepted,
  endless,
  half,
  pushInto,
  quick,
  quickish,
  reset,
  resetMidway,
  silent,
  status,
} from "../support/registry/corrupted.ts";

const head = /^HEAD .*\/blobs\//;
const post = /^POST /;
const upload = /^PUT .*\/blobs\/uploads\//;
const manifest = /^PUT .*\/manifests\/sha256:/;
const referrers = /^GET .*\/referrers\//;

/** The fault happens so many times, each is waited out once, and the push succeeds. */
function outlasts(
  times: number,
  what: string,
  on: RegExp,
  act: Handler,
  timeouts?: Timeouts,
): void {
  Deno.test(`a push outlasts ${what}`, () =>
    pushInto((registry) => registry.fault(on, act, times), ({ registry, report, error, waits }) => {
      assert.equal(error, undefined);
      assert.deepEqual([registry.hits, waits.length], [times, times]);
      const { manifests } = registry;
      assert.deepEqual(manifests.get("v1")?.bytes, manifests.get(report!.digest)?.bytes);
    }, { timeouts }));
}

outlasts(2, "503 to HEAD", head, status(503));
outlasts(4, "500 to POST", post, status(500));
outlasts(3, "429 to an upload", upload, status(429));
outlasts(1, "502 to a manifest", manifest, status(502));
outlasts(1, "503 to the referrers", referrers, status(503));
outlasts(2, "a reset of POST", post, reset);
outlasts(2, "a reset in the middle of an upload", upload, resetMidway);
outlasts(1, "a lost session", upload, status(404));
outlasts(1, "a wrong offset", upload, status(416));
outlasts(1, "half an answer", referrers, half("reset"));
outlasts(1, "a silent registry", post, silent, quickish);
outlasts(1, "a silent upload", upload, silent, quickish);

/**
 * The fault lasts, and the push ends in this class after so many requests that met it; no tag is
 * set.
 */
function ends(
  reason: RemoteReason,
  what: string,
  on: RegExp,
  act: Handler,
  message: RegExp,
  { requests = 1, timeouts }: { requests?: number; timeouts?: Timeouts } = {},
): void {
  Deno.test(`a push ends as ${reason} with ${what}`, () =>
    pushInto((registry) => registry.fault(on, act), ({ registry, error, report }) => {
      assert.equal(report, undefined);
      assert(error instanceof RemoteError, String(error));
      assert.deepEqual([error.kind, error.reason], ["remote", reason]);
      assert.match(error.message, message);
      assert.equal(registry.hits, requests);
      assert.equal(registry.manifests.has("v1"), false, "the tag was set");
    }, { timeouts }));
}

const gone = /closed the connection.* \(5 attempts\)$/;
const quiet = /no data within 0\.5 s \(5 attempts\)$/;
const long = { requests: 5 };
const silence = { requests: 5, timeouts: quick };
ends("server_error", "500 for ever", upload, status(500), /s\d+: 500 .* \(5 attempts\)$/, long);
ends("rejected", "429 for ever", post, status(429), /429 .* \(5 attempts\)$/, long);
ends("reset", "resets for ever", upload, resetMidway, gone, long);
ends("timeout", "silence for ever", post, silent, quiet, silence);
ends("timeout", "silence in an answer", referrers, half("silence"), quiet, silence);

ends(
  "auth",
  "401",
  head,
  status(401),
  /^Cannot push to "oci:\/\/[^"]+": HEAD http:.*: 401 Unauthorized$/,
);
ends("auth", "403 to POST", post, status(403), /: 403 UNKNOWN/);
ends("auth", "401 in the middle", upload, status(401), /: 401 UNKNOWN/);
ends("rejected", "413", upload, status(413), /: 413 UNKNOWN/);
ends("rejected", "200 to POST", post, accepted(200, {}), /: 200 OK$/);
ends("rejected", "a POST without Location", post, accepted(202, {}), /has no Location$/);
ends("rejected", "a redirect of POST", post, status(307, { location: "/v2/" }), /: 307 /);
ends("rejected", "a redirect of an upload", upload, status(308, { location: "/v2/" }), /: 308 /);
ends("rejected", "an endless error", post, endless(400), /: 400 Bad Request$/);
const index = { "content-type": "application/vnd.oci.image.index.v1+json" };
ends("rejected", "an endless answer", referrers, endless(200, index), /more than 4194304 bytes/);

const mischief: Handler = (request, response) => {
  request.resume();
  fail(response, 400, "MANIFEST_INVALID", "not\u001b[31m valid");
};
const reported = /\/manifests\/sha256:[0-9a-f]{64}: 400 MANIFEST_INVALID: not\\u\{1b\}\[31m valid$/;
ends("rejected", "an invalid manifest", manifest, mischief, reported);

const otherDigest = { "docker-content-digest": digestOf(new Uint8Array(1)) };
const differs = /sha256:[0-9a-f]{64} expected, "sha256:[0-9a-f]{64}" found$/;
ends("digest_mismatch", "another blob stored", upload, accepted(201, otherDigest), differs);
ends("digest_mismatch", "another manifest stored", manifest, accepted(201, otherDigest), differs);
ends("digest_mismatch", "another blob there", head, accepted(200, otherDigest), differs);

Deno.test("no manifest is put before every blob was accepted", () =>
  pushInto((registry) => registry.fault(head, status(400), 1), ({ registry }) => {
    assert.equal(registry.hits, 1);
    assert(!registry.log.some((line) => line.includes("/manifests/")), registry.log.join("\n"));
  }));

Deno.test("an upload that is refused early is not sent to the end", () => {
  const bytes = 32 * 1024 * 1024;
  let came = 0;
  const closed = Promise.withResolvers<void>();
  return pushInto((registry) => {
    registry.guard = (request, response) => {
      if (request.headers["content-length"] !== String(bytes)) return true;
      fail(response, 413, "SIZE_INVALID", "too big");
      request.socket.on("close", closed.resolve);
      // Until here nothing was read, so that most of the body had to stay with the client.
      setTimeout(() => request.on("data", (piece: Uint8Array) => came += piece.length), 100);
      return false;
    };
  }, async ({ error, registry }) => {
    assert.equal(error, undefined);
    assert(registry.log.some((line) => line.startsWith("PATCH ")), "it goes on in chunks");
    await closed.promise;
    assert(came < bytes, "the whole body was sent");
  }, { bytes });
});

Deno.test("a redirected HEAD does not count as present: the blob is sent", () =>
  pushInto((registry) => registry.fault(head, status(307), 1), ({ registry, report }) => {
    assert.equal(registry.hits, 1);
    assert.deepEqual([report?.uploaded, report?.existed], [6, 0]);
  }));

Deno.test("a blob of another length does not count as present and is sent", () =>
  pushInto(
    (registry) => registry.fault(head, accepted(200, { "content-length": "1" }), 1),
    ({ registry, report }) => {
      assert.equal(registry.hits, 1);
      assert.deepEqual([report?.uploaded, report?.existed], [6, 0]);
    },
  ));

Deno.test("a registry that sends a byte now and then does not time out", () =>
  pushInto((registry) =>
    registry.fault(referrers, (request, response) => {
      request.resume();
      const body = JSON.stringify({ schemaVersion: 2, manifests: [] });
      response.writeHead(200, { ...index, "content-length": body.length });
      // Together longer than the limit for silence.
      const parts = body.match(/.{1,5}/g)!;
      const next = () => {
        response.write(parts.shift()!);
        if (parts.length > 0) setTimeout(next, 400);
        else response.end();
      };
      next();
    }, 1), ({ registry, report, error, waits }) => {
    assert.deepEqual([error, waits, registry.hits], [undefined, [], 1]);
    assert.equal(report?.referrers, "api");
  }, { timeouts: quickish }));

Deno.test("a push outlasts a reset after nearly all of a blob", () =>
  pushInto((registry) =>
    registry.fault(upload, (request) => {
      let left = Math.floor(0.99 * Number(request.headers["content-length"]));
      request.on("data", (piece: Uint8Array) => {
        left -= piece.length;
        if (left <= 0) request.socket.destroy();
      });
    }, 1), ({ registry, error, waits }) => {
    assert.deepEqual([error, registry.hits, waits.length], [undefined, 1, 1]);
  }, { bytes: 1_000_448 }));
