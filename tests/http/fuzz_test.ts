/** Thousands of requests generated from /openapi.json, with every answer validated against it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { run } from "../support/run_export.ts";
import { Bench } from "./bench.ts";
import { type Description, Fuzz, type FuzzRequest } from "./fuzz_requests.ts";
import { isLong } from "../support/needs.ts";

const requests = isLong ? 20_000 : 2_000;

/** One export in each state, the finished one with its bundle, and unknown ids. */
async function exportsIn(bench: Bench): Promise<string[]> {
  const add = (tenant = "default") =>
    bench.queue.enqueue({ tenant, profile: "kit", request: {} }).job.id;
  /** Others that wait are begun on the way. */
  const claim = (id: string) => {
    for (let job = bench.queue.claim(); job !== undefined; job = bench.queue.claim()) {
      if (job.id === id) return job;
    }
    throw new Error("it does not wait");
  };
  const finished = add();
  const sample = fileURLToPath(new URL("../fixtures/sample", import.meta.url));
  const { bundleDigest } = await run(bench.store.begin(finished), sample, { profile: "kit" });
  bench.store.commit({ tenant: "default", profile: "kit", exportId: finished });
  bench.queue.finish(claim(finished), { state: "succeeded", bundleDigest });
  const failed = add();
  const error = { code: "io", message: "Cannot \u001b[31mread" } as const;
  bench.queue.finish(claim(failed), { state: "failed", error });
  const [held, cancelled] = [add(), add()];
  claim(held);
  bench.queue.cancel(cancelled);
  const stage = { exportId: finished, tenant: "default", profile: "kit" };
  const event = bench.timeline.add(stage, "queued").id;
  return [finished, failed, held, cancelled, add("lab"), event, crypto.randomUUID()];
}

/** The schema of an answer with what it refers to put in. */
function schemaIn(description: Description, schema: Description): z.ZodType {
  const whole = JSON.stringify(schema, (_, value) => {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(value?.$ref ?? "")?.[1];
    return name === undefined ? value : description.components.schemas[name];
  });
  return z.fromJSONSchema(JSON.parse(whole));
}

/** Validates answers against the description; schemas are compiled once. */
class AnswerChecker {
  readonly #schemas = new Map<string, z.ZodType>();
  /** `METHOD route` and how often each status came. */
  readonly seen = new Map<string, Map<number, number>>();

  constructor(readonly description: Description) {}

  async check(request: FuzzRequest, answer: Response): Promise<void> {
    const reported = JSON.stringify({ ...request, status: answer.status });
    assert.ok(answer.status < 500, reported);
    const type = answer.headers.get("content-type") ?? "";
    const isText = type.includes("json");
    const body = isText ? await answer.json() : await answer.body?.cancel();
    if (answer.status >= 400) this.#problem(body, type, answer.status, reported);
    const method = request.method.toLowerCase();
    const declared = this.description.paths[request.route]?.[method]?.responses;
    // Of another method, and of what is refused before its route is known, only the problem is
    // checked.
    if (declared === undefined || [405, 421].includes(answer.status)) return;
    const content = declared[answer.status]?.content;
    assert.ok(answer.status in declared, `${reported} is not described`);
    if (isText && answer.status < 400 && !request.route.endsWith("{path}")) {
      const key = `${method} ${request.route} ${answer.status}`;
      this.#held(key, content["application/json"].schema, body, reported);
    }
    this.#count(`${request.method} ${request.route}`, answer.status);
  }

  #problem(body: Description, type: string, status: number, reported: string): void {
    assert.equal(type, "application/problem+json", reported);
    this.#held("problem", { $ref: "#/components/schemas/Problem" }, body, reported);
    assert.equal(body.status, status, reported);
  }

  #held(key: string, schema: Description, body: unknown, reported: string): void {
    const made = this.#schemas.get(key) ?? schemaIn(this.description, schema);
    this.#schemas.set(key, made);
    const { success, error } = made.safeParse(body);
    assert.ok(success, `${reported}: ${JSON.stringify(body)}: ${error?.message}`);
  }

  #count(key: string, status: number): void {
    const counts = this.seen.get(key) ?? new Map<number, number>();
    this.seen.set(key, counts.set(status, (counts.get(status) ?? 0) + 1));
  }
}

Deno.test(`${requests} requests generated from the description: no answer is 5xx, and each matches it`, async () => {
  using bench = new Bench();
  const description = await (await bench.get("/openapi.json")).json();
  const ids = await exportsIn(bench);
  const fuzz = new Fuzz(description, ids, 7);
  const checker = new AnswerChecker(description);
  for (let n = 0; n < requests; n++) {
    const request = fuzz.next();
    const { method, path, headers, body } = request;
    const init = { method, headers, ...(body === undefined ? {} : { body }) };
    const answer = await bench.app.request(`http://127.0.0.1:8420${path}`, init);
    await checker.check(request, answer);
    // A request has removed the finished one: there is another.
    if (bench.queue.get(ids[0]!) === undefined) {
      ids.splice(0, ids.length, ...await exportsIn(bench));
    }
  }
  assert.deepEqual(bench.faults, []);
  for (const [path, methods] of Object.entries<Description>(description.paths)) {
    for (const method of Object.keys(methods)) {
      const seen = [...checker.seen.get(`${method.toUpperCase()} ${path}`)?.keys() ?? []];
      assert.ok(seen.some((status) => status < 300), `${method} ${path} never went well: ${seen}`);
      assert.ok(
        path === "/v1/profiles" || seen.some((status) => status >= 400),
        `${path}: ${seen}`,
      );
    }
  }
});
