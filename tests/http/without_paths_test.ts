import assert from "node:assert/strict";
import { shownError, withoutPaths } from "../../src/http/without_paths.ts";

Deno.test("paths of this machine are shortened to their last part in messages", () => {
  const cases: [string, string][] = [
    ['Cannot read "/etc/stella/secrets/hmac key"', 'Cannot read "hmac key"'],
    ["ENOENT: no such file or directory, lstat '/srv/osv/a.json'", "lstat 'a.json'"],
    ["put back /var/lib/stella/stella.db.schema4.", "put back stella.db.schema4."],
    ["(/srv/out)", "(out)"],
    ["look at:/srv/out: it is full", "look at:out: it is full"],
    ['"/srv/a\\"b/c"', '"c"'],
    ["file:///srv/app/main.ts:12", "main.ts:12"],
    ['"/"', '"/"'],
    ["/dev/shm/out", "out"],
    ["/srv/one and /srv/two/", "one and two"],
  ];
  for (const [text, expected] of cases) assert.ok(withoutPaths(text).endsWith(expected), text);
  for (const [text] of cases) assert.doesNotMatch(withoutPaths(text), /srv|etc|var/, text);
});

Deno.test("text that is not a local path is kept", () => {
  const texts = [
    'Cannot push to "https://registry.site:5000/v2/exports/a": 403',
    "oci://registry.site:5000/exports/a:latest",
    "GET /v2/exports/a/manifests/latest: 404",
    "name exports by /v1/exports/ID",
    "http://[::1]:5000/a/b",
    "a file in osv/drafts/a.json, or ../b",
    "text/plain; and/or 3 / 4",
    "**/*.json",
    "files below /dev, /proc and /sys are not opened",
  ];
  for (const text of texts) assert.equal(withoutPaths(text), text);
});

Deno.test("hints shown to API clients name fields instead of command-line options", () => {
  const hints: [string, string][] = [
    ["use --layout archive --volume-size fat32", "use layout archive volumeSize fat32"],
    ["keep it with --follow, or use --exclude", "keep it with follow, or use exclude"],
    ["give files with --input PATH", "give files with sources PATH"],
    ["log in: --credentials FILE", "log in: credentialsFile FILE"],
    ["name one: --client-cert and --client-key", "name one: clientCertificate and clientKey"],
    [
      "make one with `stella keys generate --out FILE`",
      "make one with `stella keys generate --out FILE`",
    ],
  ];
  for (const [hint, expected] of hints) {
    const finding = { code: "unsafe", reason: "unsafe_entry", path: "/a--b", hint };
    const error = { code: "unsafe", message: "Cannot read --x", hint, findings: [finding] };
    const shown = shownError(error);
    assert.deepEqual([shown.hint, shown.findings?.[0]?.hint], [expected, expected]);
    assert.deepEqual([shown.message, shown.findings?.[0]?.path], ["Cannot read --x", "/a--b"]);
  }
});
