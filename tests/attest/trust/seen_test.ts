/** The file that remembers the last bundle of each profile. */
import assert from "node:assert/strict";
import {
  encodeSeen,
  parseSeen,
  type SeenBundle,
  seenPath,
  withSeen,
} from "../../../src/attest/trust/seen.ts";
import { isName } from "../../../src/domain/names.ts";
import { StellaError } from "../../../src/domain/errors.ts";
import { testKey } from "../../support/bundle_fixture.ts";

const bundle: SeenBundle = {
  tenant: "t",
  profile: "p",
  sequence: 42,
  state: "1".repeat(64),
  bundleDigest: "2".repeat(64),
  created: "2026-01-01T00:00:00Z",
};

Deno.test("a written file reads back with the same content", () => {
  const seen = { signer: testKey("a").trusted.keyid, seen: [bundle] };
  assert.deepEqual(parseSeen(encodeSeen(seen), "seen.json"), seen);
});

Deno.test("the largest sequence of each profile and tenant is kept", () => {
  const older = { ...bundle, sequence: 41 };
  const newer = { ...bundle, sequence: 43 };
  const foreign = { ...bundle, tenant: "u", sequence: 1 };
  assert.deepEqual(withSeen([bundle], older), [bundle]);
  assert.deepEqual(withSeen([bundle], newer), [newer]);
  assert.deepEqual(withSeen([bundle], foreign), [bundle, foreign]);
});

Deno.test("each signer has its own directory, whose name no profile or anchor can have", () => {
  const keyids = [testKey("a").trusted.keyid, testKey("b").trusted.keyid];
  const paths = [...keyids, ...keyids.map((keyid) => `hmac-sha256:${keyid}`)]
    .map((keyid) => seenPath("/state", keyid));
  assert.equal(new Set(paths).size, 4);
  for (const path of paths) {
    assert.match(path, /^\/state\/trust\/(hmac-)?sha256-[0-9a-f]{64}\/seen\.json$/);
    assert.equal(isName(path.split("/").at(-2) ?? ""), false);
  }
});

Deno.test("a damaged file is an error and is never treated as empty", () => {
  const good = new TextDecoder().decode(encodeSeen({ signer: "k", seen: [bundle] }));
  for (
    const text of [
      "",
      "[]",
      good.slice(0, -20),
      good.replace('"sequence": 42', '"sequence": "42"'),
      good.replace('"sequence": 42', '"sequence": 0'),
      good.replace('"schemaVersion": 1', '"schemaVersion": 2'),
      good.replace('"tenant"', '"tenants"'),
    ]
  ) {
    assert.throws(
      () => parseSeen(new TextEncoder().encode(text), "seen.json"),
      (error) => error instanceof StellaError && error.reason === "state_invalid",
      text,
    );
  }
});
