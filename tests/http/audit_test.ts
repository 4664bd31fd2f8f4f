/**
 * API actions are in the log and in the timeline with the name of the token, never with the token.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Scope } from "../../src/config/service.ts";
import { Bench, config } from "./bench.ts";

const token = (name: string, scopes: Scope[]) => ({
  name,
  sha256: createHash("sha256").update(`secret-of-${name}`).digest("hex"),
  tenants: ["default"],
  scopes,
});
const guarded = {
  ...config,
  tokens: [token("ci", ["read", "write", "download", "admin"]), token("reader", ["read"])],
};
const as = (name: string) => ({ authorization: `Bearer secret-of-${name}` });

async function send(of: Bench, method: string, path: string, who: string): Promise<number> {
  const answer = await of.app.request(`http://127.0.0.1:8420${path}`, { method, headers: as(who) });
  await answer.body?.cancel();
  return answer.status;
}

const seen = (of: Bench) =>
  of.audited.map(({ event, actor, status }) => [event, actor, ...(status ? [status] : [])]);

async function stages(of: Bench, id: string) {
  const answer = await of.get(`/v1/timeline?exportId=${id}`, as("ci"));
  const { items } = await answer.json();
  return items.map((one: { stage: string; attributes: { actor?: string } }) => [
    one.stage,
    one.attributes.actor,
  ]);
}

Deno.test("queue, cancel, retry and delete name the token, in the log and in the timeline", async () => {
  using of = new Bench({ config: guarded });
  const { id } = await (await of.post({ profile: "kit" }, as("ci"))).json();
  assert.equal(await send(of, "POST", `/v1/exports/${id}/cancel`, "ci"), 202);
  assert.equal(await send(of, "POST", `/v1/exports/${id}/retry`, "ci"), 202);
  assert.equal(await send(of, "POST", `/v1/exports/${id}/cancel`, "ci"), 202);
  assert.equal(await send(of, "DELETE", `/v1/exports/${id}`, "ci"), 204);
  assert.deepEqual(seen(of), [
    ["audit.queue", "ci"],
    ["audit.cancel", "ci"],
    ["audit.retry", "ci"],
    ["audit.cancel", "ci"],
    ["audit.delete", "ci"],
  ]);
  assert.deepEqual(await stages(of, id), [
    ["cancelling", "ci"],
    ["retried", "ci"],
    ["cancelling", "ci"],
    ["deleted", "ci"],
  ]);
  assert.ok(of.audited.every(({ exportId, tenant }) => exportId === id && tenant === "default"));
  assert.doesNotMatch(JSON.stringify(of.audited), /secret-of/);
});

Deno.test("a repeated request and one that changes nothing are not audited", async () => {
  using of = new Bench({ config: guarded });
  const key = { "idempotency-key": "nightly", ...as("ci") };
  await of.post({ profile: "kit" }, key);
  await of.post({ profile: "kit" }, key);
  await of.post({ profile: "nosuch" }, as("ci"));
  assert.deepEqual(seen(of), [["audit.queue", "ci"]]);
});

Deno.test("401 and 403 are logged with route and address, and with the name of a known token", async () => {
  using of = new Bench({ config: guarded });
  of.peer = "192.0.2.7";
  assert.equal((await of.get("/v1/exports")).status, 401);
  assert.equal((await of.get("/v1/exports", { authorization: "Bearer secret-xyz" })).status, 401);
  const id = "019b76da-a800-7000-8000-000000000000";
  assert.equal(await send(of, "DELETE", `/v1/exports/${id}`, "reader"), 403);
  assert.equal((await of.get("/status", { origin: "https://evil.example" })).status, 403);
  const refused = of.audited.map(({ severity: _, event, ...rest }) => [event, rest]);
  assert.deepEqual(refused, [
    ["audit.refused", { status: "401", method: "GET", route: "/v1/exports", client: "192.0.2.7" }],
    ["audit.refused", { status: "401", method: "GET", route: "/v1/exports", client: "192.0.2.7" }],
    ["audit.refused", {
      status: "403",
      actor: "reader",
      method: "DELETE",
      route: "/v1/exports/:id",
    }],
    ["audit.refused", { status: "403", method: "GET", route: "/status", client: "192.0.2.7" }],
  ]);
});
