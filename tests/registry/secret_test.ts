import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { StellaError } from "../../src/domain/errors.ts";
import { readCredentials, readLogins } from "../../src/registry/credential_files.ts";
import { type Credentials, Secret } from "../../src/registry/secret.ts";

const redacted = "[redacted]";

/** User and password, or the identity token. */
function revealed(found: Credentials | undefined): string[] {
  if (found === undefined) return [];
  return "identityToken" in found
    ? [found.identityToken.reveal()]
    : [found.username, found.password.reveal()];
}
const host = "registry.site:5000";

Deno.test("a secret is shown only by reveal", () => {
  const secret = new Secret("hunter2");
  assert.equal(secret.reveal(), "hunter2");
  const shown = {
    template: `${secret}`,
    concatenation: "" + secret,
    json: JSON.stringify({ secret }),
    inspect: inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
    deno: Deno.inspect({ secret }),
    entries: JSON.stringify(Object.entries(secret)),
    spread: JSON.stringify({ ...secret }),
    clone: JSON.stringify(structuredClone(secret)),
    error: String(new Error("x", { cause: secret }).cause),
  };
  for (const [how, text] of Object.entries(shown)) {
    assert(!text.includes("hunter2"), how);
  }
  assert.equal(shown.template, redacted);
  assert.equal(shown.json, `{"secret":"${redacted}"}`);
});

function withFile(content: string, mode: number, body: (path: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "stella-secret-"));
  const path = join(dir, "site.json");
  try {
    writeFileSync(path, content);
    chmodSync(path, mode);
    body(path);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

Deno.test("credentials are read from a file that only its owner can read", () => {
  for (const mode of [0o600, 0o400]) {
    withFile('{"username":"me","password":"hunter2"}', mode, (path) => {
      assert.deepEqual(revealed(readCredentials(path, host)), ["me", "hunter2"]);
    });
  }
});

const good = '{"username":"me","password":"hunter2"}';
const refusals: [string, string, number, RegExp][] = [
  ["a group may read it", good, 0o640, /others can read the file \(mode 06[0-7]{2}\)$/],
  ["everybody may read it", good, 0o604, /others can read the file \(mode 06[0-7]{2}\)$/],
  ["no JSON", "hunter2", 0o600, /invalid JSON at byte 0$/],
  ["cut JSON", '{"username":"me","password":"hunter2', 0o600, /invalid JSON at byte \d+$/],
  ["doubled name", '{"hunter2":1,"hunter2":2}', 0o600, /invalid JSON at byte \d+$/],
  ["a list", '["hunter2"]', 0o600, /it must contain a single object$/],
  ["no password", '{"username":"hunter2"}', 0o600, /must be non-empty texts/],
  ["an empty password", '{"username":"hunter2","password":""}', 0o600, /must be non-empty texts/],
  ["a colon", '{"username":"m:hunter2","password":"x"}', 0o600, /the username without ':'$/],
  ["more", '{"username":"me","password":"x","hunter2":1}', 0o600, /there are other fields in it$/],
];

for (const [what, content, mode, message] of refusals) {
  Deno.test(`credentials are refused, and not shown: ${what}`, () => {
    withFile(content, mode, (path) => {
      assert.throws(() => readCredentials(path, host), (error) => {
        assert(error instanceof StellaError && error.kind === "config");
        assert.match(error.message, message);
        assert(!inspect(error, { depth: 9 }).includes("hunter2"), "the error shows the secret");
        return true;
      });
    });
  });
}

Deno.test("a missing credentials file is code 12", () => {
  assert.throws(
    () => readCredentials("/nonexistent/site.json", host),
    (error) => error instanceof StellaError && error.kind === "io",
  );
});

const auth = btoa("me:hunter2:more");
const docker = (entry: unknown, more: object = {}) =>
  JSON.stringify({
    auths: { "other.site": { auth: "eA==" }, "https://Registry.site:5000/v1/": entry },
    ...more,
  });

for (const entry of [{ auth }, { auth: "", username: "me", password: "hunter2:more" }]) {
  Deno.test(`docker's config.json: ${Object.keys(entry)} is used for its registry only`, () => {
    withFile(docker(entry), 0o600, (path) => {
      for (const name of [host, `${host}/exports/kit`]) {
        for (const found of [readCredentials(path, name), readLogins([path], name)]) {
          assert.deepEqual(revealed(found), ["me", "hunter2:more"]);
        }
      }
      assert.equal(readLogins([path], "registry.site"), undefined);
      assert.throws(
        () => readCredentials(path, "registry.site"),
        /no entry for registry.site$/,
      );
    });
  });
}

const dockerRefusals: [string, string, RegExp][] = [
  [
    "a store",
    docker({}, { credsStore: "pass" }),
    /uses a credential helper for registry.site:5000/,
  ],
  [
    "a helper",
    JSON.stringify({ credHelpers: { [host]: "ecr-login" } }),
    /uses a credential helper/,
  ],
  ["no colon", docker({ auth: btoa("hunter2") }), /has neither user and password nor an/],
];

for (const [what, content, message] of dockerRefusals) {
  Deno.test(`docker's config.json is refused, and not shown: ${what}`, () => {
    withFile(content, 0o600, (path) => {
      assert.throws(() => readLogins([path], host), (error) => {
        assert(error instanceof StellaError && error.kind === "config");
        assert.match(error.message, message);
        assert(!inspect(error, { depth: 9 }).includes("hunter2"), "the error shows the secret");
        return true;
      });
    });
  });
}

Deno.test("the mode of docker's config.json matters only if it has credentials for the registry", () => {
  withFile(docker({ auth }), 0o644, (path) => {
    assert.equal(readLogins([path], "elsewhere"), undefined);
    assert.throws(() => readLogins([path], host), /others can read the file \(mode 06[0-7]{2}\)$/);
  });
  assert.equal(readLogins(["/nonexistent/config.json"], host), undefined);
});

const byPath = JSON.stringify({
  auths: {
    "r.site/team-a": { auth: btoa("a:1") },
    "r.site/team-b": { auth: btoa("b:2") },
    "r.site/team-b/deep": { auth: btoa("deep:3") },
    "R.site:5000": { auth: btoa("host:4") },
    "https://r.site:5000/v1/": { auth: btoa("old:5") },
    "https://index.docker.io/v1/": { auth: btoa("hub:6") },
    "registry.hub/x": { identitytoken: "hunter2", auth: btoa("0000:") },
  },
});

for (
  const [name, expected] of [
    ["r.site/team-a/x", ["a", "1"]],
    ["r.site/team-b/x", ["b", "2"]],
    ["r.site/team-b", ["b", "2"]],
    ["r.site/team-b/deep/x", ["deep", "3"]],
    ["r.site/team-bc/x", []],
    ["r.site/team-c/x", []],
    ["r.site", []],
    ["r.site:5000/team-a/x", ["host", "4"]],
    ["docker.io/library/x", ["hub", "6"]],
    ["registry.hub/x", ["hunter2"]],
    ["registry.hub/y", []],
  ] as [string, string[]][]
) {
  Deno.test(`the entry of the longest path counts, and no other path's: ${name}`, () => {
    withFile(byPath, 0o600, (path) => {
      assert.deepEqual(revealed(readLogins([path], name)), expected);
    });
  });
}

Deno.test("of several files the first that has something usable counts", () => {
  withFile(docker({ auth }), 0o600, (second) => {
    withFile(JSON.stringify({ auths: {} }), 0o600, (first) => {
      assert.deepEqual(revealed(readLogins([first, second], host)), ["me", "hunter2:more"]);
    });
    withFile(docker({}, { credsStore: "pass" }), 0o600, (first) => {
      assert.deepEqual(revealed(readLogins([first, second], host)), ["me", "hunter2:more"]);
      assert.throws(() => readLogins([first, "/nonexistent"], host), /uses a credential helper/);
    });
  });
});

Deno.test("a byte order mark before the credentials does no harm", () => {
  withFile(`\ufeff${good}`, 0o600, (path) => {
    assert.deepEqual(revealed(readCredentials(path, host)), ["me", "hunter2"]);
  });
});
