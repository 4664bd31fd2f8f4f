/** /openapi.json checked against the standard, the app's routes and the app's answers. */
import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import * as z from "zod";
import { exportSchema } from "../../src/http/export_request.ts";
import { Bench } from "./bench.ts";

// deno-lint-ignore no-explicit-any -- a document
async function description(bench: Bench): Promise<any> {
  const answer = await bench.get("/openapi.json");
  assert.equal(answer.status, 200);
  return await answer.json();
}

Deno.test("the description is a valid OpenAPI 3.1 document", async () => {
  using bench = new Bench();
  const result = await new Validator().validate(await description(bench));
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(result.valid, true);
});

Deno.test("the description has every route of the API and no other", async () => {
  using bench = new Bench();
  const { paths } = await description(bench);
  const described = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  );
  const routes = bench.app.routes
    .filter(({ method, path }) => method !== "ALL" && /^\/v1\/|^\/signing\.pub$/.test(path))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`);
  assert.deepEqual(described.toSorted(), [...new Set(routes)].toSorted());
});

Deno.test("the description has no profile or tenant names of this site", async () => {
  using bench = new Bench();
  assert.doesNotMatch(JSON.stringify(await description(bench)), /advisories|secret-path|"lab"/);
});

Deno.test("the answer about an export matches the description", async () => {
  using bench = new Bench();
  const { components, paths } = await description(bench);
  const body = await (await bench.post({ profile: "kit" })).json();
  assert.deepEqual(Object.keys(body).toSorted(), components.schemas.Export.required.toSorted());
  assert.ok(z.fromJSONSchema(components.schemas.Export).safeParse(body).success);
  assert.ok(exportSchema.safeParse(body).success);
  const asked = paths["/v1/exports"].post.requestBody.content["application/json"].schema;
  assert.deepEqual(Object.keys(asked.properties), [
    "profile",
    "tenant",
    "compression",
    "layout",
    "volumeSize",
  ]);
  assert.deepEqual([asked.required, asked.additionalProperties], [["profile"], false]);
});
