/** The registry gives the URL of an upload; the client checks it. */
import assert from "node:assert/strict";
import { RemoteError } from "../../src/net/failure.ts";
import { accepted, pushInto } from "../support/registry/corrupted.ts";

const away: [string, string][] = [
  ["another port", "http://127.0.0.1:1/v2/x"],
  ["another host", "http://registry.invalid/v2/x"],
  ["another scheme", "https://HOST/v2/x"],
  ["a host without scheme", "//registry.invalid/v2/x"],
  ["a user", "http://me:pw@HOST/v2/x"],
];

for (const [what, location] of away) {
  Deno.test(`an upload is not sent to another place: ${what}`, () =>
    pushInto((registry) => {
      const there = location.replace("HOST", registry.host);
      registry.fault(/^POST /, accepted(202, { location: there }));
    }, ({ registry, error }) => {
      assert(error instanceof RemoteError, String(error));
      assert.equal(error.reason, "rejected");
      assert.match(error.message, /sends the upload to another host: /);
      assert(!registry.log.some((line) => line.startsWith("PUT ")), "something was sent");
      assert.equal(registry.hits, 1);
    }));
}

Deno.test("an invalid URL in Location is refused", () =>
  pushInto(
    (registry) => registry.fault(/^POST /, accepted(202, { location: "http://[" })),
    ({ error }) => assert.match(error?.message ?? "", /the response has no Location$/),
  ));

Deno.test("an absolute Location of the same origin is taken as it is", () =>
  pushInto((registry) => {
    const location = `http://${registry.host}/elsewhere?s=a%2Bb%3D#x`;
    registry.fault(/^POST /, accepted(202, { location }));
    registry.fault(/^PUT .*\/elsewhere$/, (request, response) => {
      const [, digest] = /^\/elsewhere\?s=a%2Bb%3D&digest=(sha256%3A[0-9a-f]{64})$/
        .exec(request.url!) ?? [];
      if (digest !== undefined) registry.blobs.set(decodeURIComponent(digest), new Uint8Array());
      accepted(201, {})(request, response);
    });
  }, ({ registry, report }) => {
    assert.equal(report?.uploaded, 6);
    assert.equal(registry.blobs.size, 6);
  }));
