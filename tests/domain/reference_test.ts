import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import { endpointOf, hostOf, parseEndpoint, parseReference } from "../../src/domain/reference.ts";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

const good: [string, ReturnType<typeof parseReference>][] = [
  ["oci://registry.site/exports/advisories:v1", {
    authority: "registry.site",
    repository: "exports/advisories",
    tag: "v1",
  }],
  ["oci:registry.site:5000/a", { authority: "registry.site:5000", repository: "a" }],
  ["oci://Registry.Site/a:V1", { authority: "registry.site", repository: "a", tag: "V1" }],
  [`oci://10.0.0.7:5000/a/b__c/d--e/f.g@${digest}`, {
    authority: "10.0.0.7:5000",
    repository: "a/b__c/d--e/f.g",
    digest: digest as `sha256:${string}`,
  }],
  ["oci://[::1]:5000/a:20260101T000000Z", {
    authority: "[::1]:5000",
    repository: "a",
    tag: "20260101T000000Z",
  }],
];

for (const [text, expected] of good) {
  Deno.test(`reference ${text}`, () => {
    assert.deepEqual(parseReference(text), expected);
  });
}

const bad: [string, RegExp][] = [
  ["registry.site/a", /it has no scheme$/],
  ["https://registry.site/a", /it has no scheme$/],
  ["docker://registry.site/a", /it has no scheme$/],
  ["oci:///a", /it has no scheme$/],
  ["oci://registry.site", /there is no repository$/],
  ["oci://registry.site/", /there is no repository$/],
  ["oci://registry.site/A", /the repository "A" is not allowed, it must be lowercase$/],
  ["oci://registry.site/a//b", /the repository "a\/\/b" is not allowed$/],
  ["oci://registry.site/../v2/a", /the repository "\.\.\/v2\/a" is not allowed$/],
  ["oci://registry.site/a?x=1", /the repository "a\?x=1" is not allowed$/],
  ["oci://registry.site/a%2fb", /the repository "a%2fb" is not allowed$/],
  ["oci://registry.site/a:", /the tag "" is not allowed$/],
  ["oci://registry.site/a:2026-01-01T00:00", /the tag "2026-01-01T00:00" is not allowed$/],
  ["oci://registry.site/a:.x", /the tag "\.x" is not allowed$/],
  [`oci://registry.site/a:${"x".repeat(129)}`, /the tag "x+\.\.\." is not allowed$/],
  ["oci://registry.site/a@sha256:00", /the digest "sha256:00" is not sha256 and 64 hex digits$/],
  [`oci://registry.site/a:v1@${digest}`, /the repository "a:v1" is not allowed$/],
  ["oci://127.1/a", /the host "127\.1" is not allowed$/],
  ["oci://0x7f.1/a", /the host "0x7f\.1" is not allowed$/],
  ["oci://2130706433/a", /the host "2130706433" is not allowed$/],
  ["oci://registry.site:0/a", /the host "registry\.site:0" is not allowed$/],
  ["oci://registry.site:99999/a", /the host "registry\.site:99999" is not allowed$/],
  ["oci://regi stry/a", /the host "regi stry" is not allowed$/],
  ["oci://registry.site\u202e/a", /the host "registry\.site\\u\{202e\}" is not allowed$/],
  ["oci://-x/A:é", /the host "-x" is not allowed; the repository "A" .*; the tag "é" /],
];

for (const [text, message] of bad) {
  Deno.test(`reference refused: ${JSON.stringify(text).slice(0, 60)}`, () => {
    assert.throws(() => parseReference(text), (error) => {
      assert(error instanceof StellaError && error.kind === "usage");
      assert.match(error.message, message);
      return true;
    });
  });
}

for (
  const text of [
    "oci://me:hunter2@registry.site/a",
    "oci:me:hunter2@registry.site/a",
    "https://me:hunter2@registry.site/a",
    "me:hunter2@registry.site/a",
  ]
) {
  Deno.test(`a reference with credentials is refused without repeating them: ${text}`, () => {
    assert.throws(() => parseReference(text), (error) => {
      assert(error instanceof StellaError && error.kind === "usage");
      assert.match(error.message, /it has credentials in it$/);
      assert(!JSON.stringify([error.message, error.hint]).includes("hunter2"));
      return true;
    });
  });
}

Deno.test("a reference uses https, except on loopback, where it uses http unless a CA is configured", () => {
  const origin = (text: string, options = {}) =>
    endpointOf(parseReference(text), options).url.origin;
  assert.equal(origin("oci://registry.site/a"), "https://registry.site");
  assert.equal(
    origin("oci://registry.site:5000/a", { plainHttp: true }),
    "http://registry.site:5000",
  );
  assert.equal(origin("oci://localhost:5000/a"), "http://localhost:5000");
  assert.equal(origin("oci://127.0.0.1:5000/a"), "http://127.0.0.1:5000");
  assert.equal(origin("oci://[::1]:5000/a"), "http://[::1]:5000");
  assert.equal(origin("oci://localhost:5000/a", { ca: true }), "https://localhost:5000");
  assert.equal(origin("oci://localhost.evil.example/a"), "https://localhost.evil.example");
});

Deno.test("an endpoint is a URL without path or query, and plain http only on loopback or where permitted", () => {
  assert.equal(
    parseEndpoint("https://registry.site:5000/").url.href,
    "https://registry.site:5000/",
  );
  assert.equal(hostOf(parseEndpoint("http://[::1]:5000").url), "::1");
  assert.equal(parseEndpoint("http://registry.site", true).plainHttp, true);
  const refusals: [string, RegExp][] = [
    ["http://registry.site", /plain http is not encrypted$/],
    ["http://127.0.0.1.evil.example", /plain http is not encrypted$/],
    ["https://registry.site/path", /not a plain URL$/],
    ["https://registry.site?x", /not a plain URL$/],
    ["https://127.1", /not a plain URL$/],
    ["ftp://registry.site", /not a plain URL$/],
    ["registry.site:5000", /not a plain URL$/],
    ["https://me:hunter2@registry.site", /it has credentials in it$/],
  ];
  for (const [text, message] of refusals) {
    assert.throws(() => parseEndpoint(text), (error) => {
      assert(error instanceof StellaError, text);
      assert.equal(error.kind, error.reason === "plain_http" ? "policy" : "usage", text);
      assert.match(error.message, message);
      assert(!error.message.includes("hunter2"));
      return true;
    });
  }
});
