import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { StellaError } from "../../src/errors.ts";
import { readCredentials, readDockerConfig } from "../../src/registry/credential_files.ts";
import { Secret } from "../../src/registry/secret.ts";

const redacted = "[redacted]";
const host = "registry.site:5000";

Deno.test("a secret shows itself only when it is revealed", () => {
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
      const { username, password } = readCredentials(path, host);
      assert.deepEqual([username, password.reveal()], ["me", "hunter2"]);
    });
  }
});

const good = '{"username":"me","password":"hunter2"}';
const refusals: [string, string, number, RegExp][] = [
  ["a group may read it", good, 0o640, /its mode is 0640, so others can read it$/],
  ["everybody may read it", good, 0o604, /its mode is 0604, so others can read it$/],
  ["no JSON", "hunter2", 0o600, /no JSON at byte 0$/],
  ["cut JSON", '{"username":"me","password":"hunter2', 0o600, /no JSON at byte \d+$/],
  ["doubled name", '{"hunter2":1,"hunter2":2}', 0o600, /no JSON at byte \d+$/],
  ["a list", '["hunter2"]', 0o600, /it does not hold one object$/],
  ["no password", '{"username":"hunter2"}', 0o600, /must be non-empty texts/],
  ["an empty password", '{"username":"hunter2","password":""}', 0o600, /must be non-empty texts/],
  ["a colon", '{"username":"m:hunter2","password":"x"}', 0o600, /the username without ':'$/],
  ["more", '{"username":"me","password":"x","hunter2":1}', 0o600, /there are other fields in it$/],
];

for (const [what, content, mode, message] of refusals) {
  Deno.test(`credentials are refused, and not shown: ${what}`, () => {
    withFile(content, mode, (path) => {
      assert.throws(() => readCredentials(path, host), (error) => {
        assert(error instanceof StellaError && error.code === "usage");
        assert.match(error.message, message);
        assert(!inspect(error, { depth: 9 }).includes("hunter2"), "the error shows the secret");
        return true;
      });
    });
  });
}

Deno.test("credentials that are not there are a usage error", () => {
  assert.throws(
    () => readCredentials("/nonexistent/site.json", host),
    (error) => error instanceof StellaError && error.code === "usage",
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
      for (const found of [readCredentials(path, host), readDockerConfig(path, host)!]) {
        assert.deepEqual([found.username, found.password.reveal()], ["me", "hunter2:more"]);
      }
      assert.equal(readDockerConfig(path, "registry.site"), undefined);
      assert.throws(
        () => readCredentials(path, "registry.site"),
        /it has nothing for registry.site$/,
      );
    });
  });
}

const dockerRefusals: [string, string, RegExp][] = [
  [
    "a store",
    docker({}, { credsStore: "pass" }),
    /leaves registry.site:5000 to a credential helper/,
  ],
  ["a helper", JSON.stringify({ credHelpers: { [host]: "ecr-login" } }), /to a credential helper/],
  ["an identity token", docker({ auth, identitytoken: "hunter2" }), /it has an identity token/],
  ["no colon", docker({ auth: btoa("hunter2") }), /is not a user and a password$/],
];

for (const [what, content, message] of dockerRefusals) {
  Deno.test(`docker's config.json is refused, and not shown: ${what}`, () => {
    withFile(content, 0o600, (path) => {
      assert.throws(() => readDockerConfig(path, host), (error) => {
        assert(error instanceof StellaError && error.code === "usage");
        assert.match(error.message, message);
        assert(!inspect(error, { depth: 9 }).includes("hunter2"), "the error shows the secret");
        return true;
      });
    });
  });
}

Deno.test("docker's config.json: its mode matters only where it has something for the registry", () => {
  withFile(docker({ auth }), 0o644, (path) => {
    assert.equal(readDockerConfig(path, "elsewhere"), undefined);
    assert.throws(() => readDockerConfig(path, host), /its mode is 0644, so others can read it$/);
  });
  assert.equal(readDockerConfig("/nonexistent/config.json", host), undefined);
});
