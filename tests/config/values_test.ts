import assert from "node:assert/strict";
import { durationSeconds } from "../../src/config/duration.ts";
import { parseGuarded, parseListen, urlOf } from "../../src/config/listen.ts";
import { renderTag, tagFault } from "../../src/domain/tag.ts";

Deno.test("durations are a count and one of s, m, h", () => {
  assert.equal(durationSeconds("90s"), 90);
  assert.equal(durationSeconds("15m"), 900);
  assert.equal(durationSeconds("1h"), 3600);
  for (const text of ["", "15", "m", "0m", "-1m", "1.5h", "15 m", "15M", "1h30m", "1000000s"]) {
    assert.equal(durationSeconds(text), undefined, text);
  }
});

Deno.test("the service may listen on loopback addresses", () => {
  assert.deepEqual(parseListen("127.0.0.1:8420"), { host: "127.0.0.1", port: 8420 });
  assert.deepEqual(parseListen("localhost:0"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(parseListen("[::1]:9000"), { host: "::1", port: 9000 });
  assert.equal(urlOf({ host: "::1", port: 9000 }), "http://[::1]:9000");
});

Deno.test("other addresses are refused with a hint that explains why", () => {
  for (const text of ["0.0.0.0:8420", "[::]:8420", "192.0.2.1:80", "[::ffff:127.0.0.1]:80"]) {
    assert.throws(() => parseListen(text), {
      kind: "usage",
      message: /not a loopback address/,
      hint: /only this machine/,
    }, text);
    assert.throws(() => parseGuarded(text, 0), {
      kind: "usage",
      message: /not a loopback address/,
      hint: /no access tokens/,
    }, text);
    assert.equal(typeof parseGuarded(text, 1).host, "string");
  }
});

Deno.test("an invalid address is refused as such", () => {
  // A resolver would read the short and numeric forms as 127.0.0.1 or 0.0.0.0.
  const odd = ["8420", ":8420", "127.1:80", "2130706433:80", "0:80", "127.0.0.1:65536", "host:80"];
  for (const text of [...odd, "127.0.0.1", "::1:80", "[127.0.0.1:80"]) {
    assert.throws(
      () => parseListen(text),
      { kind: "usage", message: /not in the form IP:PORT/ },
      text,
    );
  }
});

Deno.test("placeholders in a tag are replaced without a colon", () => {
  const values = {
    created: "2026-01-01T00:00:00Z",
    profile: "a.b",
    tenant: "lab",
    digest: "f".repeat(64),
  };
  assert.equal(renderTag("{created}", values), "20260101T000000Z");
  assert.equal(renderTag("{profile}-{digest}", values), `a.b-${"f".repeat(64)}`);
  assert.equal(renderTag("{tenant}_{profile}", values), "lab_a.b");
  assert.equal(renderTag("latest", values), "latest");
});

Deno.test("a template that yields no valid tag is refused before a bundle is made", () => {
  assert.equal(tagFault("{profile}_{created}"), undefined);
  assert.match(tagFault("{version}") ?? "", /unknown placeholder \{version\}/);
  for (const template of ["", ".x", "a:b", "-{created}", "{profile}{digest}x", "ä"]) {
    assert.match(tagFault(template) ?? "", /valid tag/, template);
  }
});
