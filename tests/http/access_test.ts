/** Tokens, tenants and scopes: the whole matrix, generated from /openapi.json. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Scope } from "../../src/config/service.ts";
import { accessFinder } from "../../src/http/access.ts";
import { createOpsServer } from "../../src/http/server.ts";
import { Bench, config } from "./bench.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const token = (name: string, scopes: Scope[], tenants = ["default"]) => ({
  name,
  sha256: sha256(name),
  tenants,
  scopes,
});

const guarded = {
  ...config,
  tokens: [
    token("reader", ["read"]),
    token("fetcher", ["download"]),
    token("writer", ["write"]),
    token("boss", ["admin"]),
    token("all", ["read", "download", "write", "admin"]),
    token("lab", ["read", "download", "write", "admin"], ["lab"]),
    token("both", ["read", "write"], ["lab", "default"]),
  ],
};

function bench(): Bench {
  return new Bench({ config: guarded });
}

const as = (name: string) => ({ authorization: `Bearer ${name}` });

interface Operation {
  method: string;
  path: string;
  scope: Scope;
}

async function operations(of: Bench): Promise<Operation[]> {
  const { paths } = await (await of.get("/openapi.json")).json();
  return Object.entries<Record<string, { "x-scope": Scope }>>(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ method, path, scope: one["x-scope"] }))
  ).filter(({ path }) => path.startsWith("/v1/"));
}

async function ask(of: Bench, { method, path }: Operation, id: string, who: string) {
  const url = path.replace("{id}", id).replace("{path}", "manifest.json").replace("{eventId}", id);
  return await of.app.request(`http://127.0.0.1:8420${url}`, {
    method: method.toUpperCase(),
    headers: { ...as(who), "content-type": "application/json" },
    ...(method === "post" ? { body: '{"profile":"kit"}' } : {}),
  });
}

Deno.test("a profile does not exist for a tenant that it does not belong to", async () => {
  const targets = [{ registry: "site", repository: "r", tag: "t" }];
  const owned = { ...config.profiles.get("advisories")!, name: "owned", tenants: ["lab"], targets };
  const profiles = new Map([...config.profiles, ["owned", owned]]);
  using of = new Bench({ config: { ...guarded, profiles } });
  const answer = async (who: string, body: Record<string, unknown>) => {
    const answered = await of.post(body, as(who));
    return [answered.status, [...answered.headers], await answered.text()];
  };
  const others = [{ tenant: "lab" }, { tenant: "nosuch" }, { layout: "directory" }];
  const faulty = [{ compression: "gzip" }, { layout: "directory", volumeSize: "8M" }];
  for (const more of [{}, { tenant: "default" }, ...others, ...faulty]) {
    const foreign = await answer("all", { profile: "owned", ...more });
    assert.deepEqual(foreign, await answer("all", { profile: "nosuch", ...more }));
    assert.equal(foreign[0], 400);
  }
  // A caller of both tenants who names the wrong one gets that answer too.
  const wrong = { tenant: "default", layout: "directory" };
  const named = await answer("both", { profile: "owned", ...wrong });
  assert.deepEqual(named, await answer("both", { profile: "nosuch", ...wrong }));
  const names = async (who: string) => {
    const { items } = await (await of.get("/v1/profiles", as(who))).json();
    return items.map(({ name }: { name: string }) => name);
  };
  assert.deepEqual(await names("all"), ["kit", "advisories"]);
  assert.deepEqual(await names("lab"), ["kit", "advisories", "owned"]);
  assert.deepEqual(of.queue.figures().queued, 0);
  await of.post({ profile: "owned" }, as("both"));
  await of.post({ profile: "owned" }, as("lab"));
  assert.deepEqual(of.queued.map(({ tenant, actor }) => [tenant, actor]), [["lab", "both"], [
    "lab",
    "lab",
  ]]);
});

Deno.test("an export of a profile that its tenant no longer has cannot be retried", async () => {
  const owned = { ...config.profiles.get("advisories")!, name: "owned", tenants: ["lab"] };
  using of = new Bench({ config: { ...config, profiles: new Map([["owned", owned]]) } });
  const { id } = of.queue.enqueue({ tenant: "default", profile: "owned", request: {} }).job;
  of.queue.cancel(id);
  const path = `http://127.0.0.1:8420/v1/exports/${id}/retry`;
  assert.equal((await of.app.request(path, { method: "POST" })).status, 409);
});

Deno.test("every API route requires a token, and no operations route does", async () => {
  using of = bench();
  const all = await operations(of);
  assert.ok(all.length >= 13);
  for (const one of all) {
    const answer = await ask(of, one, "019b76da-a800-7000-8000-000000000000", "nobody");
    assert.equal(answer.status, 401, `${one.method} ${one.path}`);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer /);
  }
  const open = ["/health/liveness", "/health/readiness", "/status", "/metrics", "/runbook"];
  for (const path of [...open, "/signing.pub"]) {
    assert.equal((await of.get(path)).status, 200, path);
  }
  assert.equal(await (await of.get("/signing.pub")).text(), of.publicKey);
  of.publicKey = undefined;
  assert.equal((await of.get("/signing.pub")).status, 404);
  assert.equal(of.queue.figures().queued, 0);
});

Deno.test("status shows paths and the configuration digest with a token, and features without one", async () => {
  using of = bench();
  const status = async (headers: Record<string, string> = {}) =>
    await (await of.get("/status", headers)).json();
  const { state, configuration, ...rest } = await status(as("lab"));
  assert.deepEqual([state, configuration], ["/srv/secret-path/state", {
    path: "/srv/secret-path/stella.yaml",
    sha256: "c".repeat(64),
  }]);
  assert.equal(rest.features.tokens, true);
  for (const header of [{}, as("nobody"), { authorization: "Basic bGFi" }]) {
    assert.deepEqual(await status(header), rest);
  }
});

Deno.test("the operations address accepts no token", async () => {
  using of = bench();
  const ops = createOpsServer(of.deps, { hosts: [], addresses: false });
  const answer = await ops.request("http://127.0.0.1/status", { headers: as("all") });
  assert.equal(answer.status, 200);
  assert.doesNotMatch(await answer.text(), /secret-path|cccc/);
});

Deno.test("each token permits exactly what its scopes allow", async () => {
  for (const { name, scopes } of guarded.tokens.slice(0, 5)) {
    using of = bench();
    for (const one of await operations(of)) {
      const { job } = of.queue.enqueue({ tenant: "default", profile: "kit", request: {} });
      if (one.path.endsWith("/events")) of.queue.cancel(job.id);
      const answer = await ask(of, one, job.id, name);
      await answer.body?.cancel();
      const place = `${name}: ${one.method} ${one.path}`;
      assert.equal(answer.status === 403, !scopes.includes(one.scope), `${place} ${answer.status}`);
      assert.notEqual(answer.status, 401, place);
    }
  }
});

Deno.test("a request for another tenant's export gets the same answer as for an unknown one", async () => {
  using of = bench();
  const { job } = of.queue.enqueue({ tenant: "default", profile: "kit", request: {} });
  of.timeline.add({ exportId: job.id, tenant: "default", profile: "kit" }, "queued");
  const unknown = "019b76da-a800-7fff-8fff-ffffffffffff";
  for (const one of (await operations(of)).filter(({ path }) => path.includes("{"))) {
    const [foreign, none] = await Promise.all(
      [job.id, unknown].map(async (id) => {
        const answer = await ask(of, one, id, "lab");
        return [answer.status, await answer.text()];
      }),
    );
    assert.deepEqual(foreign, none, `${one.method} ${one.path}`);
    assert.equal(foreign?.[0], 404);
  }
  assert.equal(of.queue.get(job.id)?.state, "queued");
});

Deno.test("lists, cursors, idempotency keys and tenant names disclose nothing about other tenants", async () => {
  using of = bench();
  const key = { "idempotency-key": "nightly" };
  const first = await (await of.post({ profile: "kit" }, { ...key, ...as("all") })).json();
  const second = await (await of.post({ profile: "kit" }, { ...key, ...as("lab") })).json();
  assert.deepEqual([first.tenant, second.tenant], ["default", "lab"]);
  assert.notEqual(first.id, second.id);
  const ids = async (who: string, query = "") => {
    const { items } = await (await of.get(`/v1/exports?${query}`, as(who))).json();
    return items.map(({ id }: { id: string }) => id);
  };
  assert.deepEqual(await ids("lab"), [second.id]);
  assert.deepEqual(await ids("all"), [first.id]);
  assert.deepEqual((await ids("both")).toSorted(), [first.id, second.id].toSorted());
  assert.deepEqual(await ids("both", "tenant=lab"), [second.id]);
  for (const query of ["tenant=default", "tenant=nobody"]) {
    assert.equal((await of.get(`/v1/exports?${query}`, as("lab"))).status, 400, query);
  }
  const named = await of.post({ profile: "kit", tenant: "default" }, as("lab"));
  const unnamed = await of.post({ profile: "kit", tenant: "nobody" }, as("lab"));
  assert.deepEqual([named.status, await named.text()], [400, await unnamed.text()]);
  const after = await ids("lab", `cursor=${first.id}`);
  of.queue.cancel(first.id);
  of.queue.remove(first.id);
  assert.deepEqual(await ids("lab", `cursor=${first.id}`), after, "as if it had never been there");
});

Deno.test("a token is compared with all known ones, and an invalid one finds nothing", () => {
  const find = accessFinder(guarded);
  assert.deepEqual(find("Bearer reader")?.scopes, ["read"]);
  assert.deepEqual(find("bearer  lab")?.tenants, ["lab"]);
  const none = [
    undefined,
    "",
    "reader",
    "Basic reader",
    "Bearer",
    "Bearer reade",
    "Bearer readers",
  ];
  for (
    const header of [...none, "Bearer reader x", `Bearer ${sha256("reader")}`, "Bearer \u00fc"]
  ) {
    assert.equal(find(header), undefined, String(header));
  }
  const open = accessFinder({ tokens: [], tenants: ["default", "lab"] });
  assert.deepEqual(open(undefined)?.tenants, ["default", "lab"]);
});

Deno.test("comparing a token takes the same time wherever it differs", () => {
  // A busy machine may slow one of the two for a while; a real difference shows every time.
  const found = Array.from({ length: 3 }, differenceInTime);
  assert.ok(found.some((t) => Math.abs(t) < 4.5), `t = ${found.join(", ")}`);
});

/**
 * Welch's t of the times for a token that differs in its last letter and one that does in its
 * first.
 */
function differenceInTime(): number {
  const right = "a".repeat(64);
  const find = accessFinder({ tenants: ["default"], tokens: [token(right, ["read"])] });
  const near = `Bearer ${"a".repeat(63)}b`;
  const far = `Bearer ${"b".repeat(64)}`;
  const times: Record<string, number[]> = { [near]: [], [far]: [] };
  for (let n = 0; n < 22_000; n++) {
    const header = Math.random() < 0.5 ? near : far;
    const started = performance.now();
    find(header);
    if (n > 2_000) times[header]!.push(performance.now() - started);
  }
  const [one, two] = Object.values(times).map(trimmed);
  return welch(one!, two!);
}

/** Without the slowest twentieth: what interrupts the process says nothing about the comparison. */
function trimmed(values: number[]): number[] {
  return values.toSorted((a, b) => a - b).slice(0, Math.floor(values.length * 0.95));
}

function welch(a: number[], b: number[]): number {
  const facts = (values: number[]) => {
    const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
    const squares = values.reduce((sum, one) => sum + (one - mean) ** 2, 0);
    return { mean, error: squares / (values.length - 1) / values.length };
  };
  const [first, second] = [facts(a), facts(b)];
  return (first.mean - second.mean) / Math.sqrt(first.error + second.error);
}
