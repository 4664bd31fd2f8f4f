/** Two tenants of one service: neither blocks the other or learns anything about it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Home, root, type Service } from "../support/program.ts";
import { configureStella } from "../support/site.ts";

const sources = [{ files: join(root, "tests/fixtures/sample") }];
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const scopes = ["read", "download", "write", "admin"];
const tokens = Object.fromEntries(
  ["a", "b"].map((name) => [`ci-${name}`, { sha256: sha256(name), tenants: [name], scopes }]),
);
const as = (name: string) => ({ authorization: `Bearer ${name}` });

function configuration(home: Home) {
  const out = join(home.path, "out");
  return {
    tenants: ["a", "b"],
    tokens,
    profiles: {
      pub: { kind: "files", sources, targets: [{ directory: join(out, "{tenant}") }] },
      own: { kind: "files", tenants: ["a"], sources, targets: [{ directory: join(out, "own") }] },
      sealed: { kind: "files", sources, secretFile: join(home.path, "no/such/hmac.key") },
    },
  };
}

/** Body and status of a refused request. */
async function refusal(service: Service, token: string, profile: string) {
  const answer = await fetch(`${service.url}/v1/exports`, {
    method: "POST",
    headers: { "content-type": "application/json", ...as(token) },
    body: JSON.stringify({ profile }),
  });
  return [answer.status, await answer.text()];
}

Deno.test("two tenants publish one profile to separate directories, in any order", async () => {
  const home = new Home();
  configureStella(home, configuration(home));
  const service = await home.serve();
  try {
    for (const tenant of ["b", "a", "b", "a"]) {
      const job = await service.export({ profile: "pub" }, as(tenant));
      assert.equal(job.state, "succeeded", JSON.stringify(job.error));
      assert.deepEqual([job.tenant, job.actor], [tenant, `ci-${tenant}`]);
    }
    for (const tenant of ["a", "b"]) {
      const path = join(home.path, "out", tenant, "manifest.json");
      assert.equal(JSON.parse(readFileSync(path, "utf8")).tenant, tenant);
      await home.succeed(["verify", path, "--trust", join(home.state, "keys/signing.pub")]);
    }
  } finally {
    await service.stop();
    home.remove();
  }
});

Deno.test("a profile of one tenant does not exist for the other", async () => {
  const home = new Home();
  configureStella(home, configuration(home));
  const service = await home.serve();
  try {
    assert.deepEqual(await refusal(service, "b", "own"), await refusal(service, "b", "nosuch"));
    const { items } = await (await fetch(`${service.url}/v1/profiles`, { headers: as("b") }))
      .json();
    const names = items.map(({ name }: { name: string }) => name);
    assert.deepEqual(names, ["kit", "pub", "sealed"]);
    assert.equal((await service.export({ profile: "own" }, as("a"))).state, "succeeded");
    assert.ok(existsSync(join(home.path, "out/own/manifest.json")));
  } finally {
    await service.stop();
    home.remove();
  }
});

Deno.test("a tenant sees its export's error without paths, and the log has the path", async () => {
  const home = new Home();
  configureStella(home, configuration(home));
  const service = await home.serve();
  const answers: string[] = [];
  try {
    const { id, state, error } = await service.export({ profile: "sealed" }, as("b"));
    assert.equal(state, "failed");
    assert.match(error.message, /hmac\.key/);
    const paths = [`/v1/exports/${id}`, "/v1/exports", "/v1/timeline", `/v1/exports/${id}/events`];
    for (const path of paths) {
      answers.push(await (await fetch(service.url + path, { headers: as("b") })).text());
    }
  } finally {
    await service.stop();
    home.remove();
  }
  for (const answer of answers) assert.doesNotMatch(answer, /no\/such|stella-home|\/tmp/);
  assert.match(service.log, /no\/such\/hmac\.key/);
});

Deno.test("config check and serve refuse two tenants with the same target", async () => {
  const home = new Home();
  const { profiles, ...rest } = configuration(home);
  const pub = { ...profiles.pub, targets: [{ directory: join(home.path, "out") }] };
  configureStella(home, { ...rest, profiles: { pub } });
  try {
    for (const command of [["config", "check"], ["serve", "--listen", "127.0.0.1:0"]]) {
      const { code, stderr } = await home.stella(command);
      assert.equal(code, 2, command.join(" "));
      assert.match(stderr, /profiles\.pub\.targets\[0\]: is one directory for several tenants/);
    }
  } finally {
    home.remove();
  }
});
