/** `/openapi.json`, from the schemas of the requests; a test compares it with the routes. */
import * as z from "zod";
import type { Config } from "../config/load.ts";
import type { Scope } from "../config/service.ts";
import { exportSchema, keySchema, listSchema, requestSchema } from "./export_request.ts";
import { eventQuerySchema, timelineSchema } from "./timeline.ts";

type Json = Record<string, unknown>;

interface Operation {
  /** The scope that a token needs; without it no token is needed. */
  scope?: Scope;
  summary: string;
  query?: z.ZodObject;
  headers?: Record<string, z.ZodType>;
  body?: z.ZodType;
  /** Status and media type of success; problems are added. */
  answers: [status: number, about: string, content?: Json];
  also?: Record<number, string>;
  problems: number[];
}

const any = { actor: "any", tenants: ["default"], scopes: [] };
const noProfiles: Pick<Config, "profiles"> = { profiles: new Map() };
const json = (schema: Json) => ({ "application/json": { schema } });
const stream = (type: string) => ({ [type]: { schema: { type: "string", format: "binary" } } });
const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const oneExport = json(reference("Export"));

function pageOf(items: Json): Json {
  const properties = { items: { type: "array", items }, next: { type: ["string", "null"] } };
  return json({ type: "object", required: ["items", "next"], properties });
}

/** By method and path. */
const operations: Readonly<Record<string, Operation>> = {
  "get /signing.pub": {
    summary: "The public key that exports are signed with",
    answers: [200, "PEM, SubjectPublicKeyInfo", stream("application/x-pem-file")],
    problems: [403, 404],
  },
  "post /v1/exports": {
    scope: "write",
    summary: "Ask for an export",
    headers: { "Idempotency-Key": keySchema },
    body: requestSchema(noProfiles, any),
    answers: [202, "It waits; Location names it", oneExport],
    problems: [400, 413, 415, 422, 429, 507],
  },
  "get /v1/exports": {
    scope: "read",
    summary: "List exports, newest first",
    query: listSchema(any),
    answers: [200, "A page", pageOf(reference("Export"))],
    problems: [400],
  },
  "get /v1/exports/{id}": {
    scope: "read",
    summary: "One export",
    answers: [200, "As it stands", oneExport],
    problems: [404],
  },
  "delete /v1/exports/{id}": {
    scope: "admin",
    summary: "Remove an export that has ended, and its bundle",
    answers: [204, "It is gone"],
    problems: [404, 409],
  },
  "post /v1/exports/{id}/cancel": {
    scope: "write",
    summary: "End an export: at once where it waits, soon where it runs",
    answers: [202, "As it stands", oneExport],
    problems: [404, 409],
  },
  "post /v1/exports/{id}/retry": {
    scope: "write",
    summary: "Queue a failed or cancelled export again",
    answers: [202, "It waits", oneExport],
    problems: [404, 409, 429],
  },
  "get /v1/exports/{id}/events": {
    scope: "read",
    summary: "Follow an export: events step, progress and end",
    headers: { "Last-Event-ID": z.string() },
    answers: [200, "Server-sent events", stream("text/event-stream")],
    problems: [404],
  },
  "get /v1/exports/{id}/files": {
    scope: "download",
    summary: "The files of its bundle",
    answers: [200, "All of them", pageOf({ type: "object" })],
    problems: [404],
  },
  "get /v1/exports/{id}/files/{path}": {
    scope: "download",
    summary: "One file; ranges and entity tags are honoured",
    headers: { Range: z.string(), "If-None-Match": z.string(), "If-Range": z.string() },
    answers: [200, "Its bytes", stream("application/octet-stream")],
    also: { 206: "Some of its bytes", 304: "The client has it" },
    problems: [404, 416],
  },
  "get /v1/exports/{id}/bundle.tar": {
    scope: "download",
    summary: "The whole bundle as one stream, manifest first",
    headers: { "If-None-Match": z.string() },
    answers: [200, "A tar", stream("application/x-tar")],
    also: { 304: "The client has it" },
    problems: [404, 409],
  },
  "get /v1/timeline": {
    scope: "read",
    summary: "What happened to exports; next continues as after, or as before with first=newest",
    query: timelineSchema(any),
    answers: [200, "A page", pageOf({ type: "object" })],
    problems: [400],
  },
  "get /v1/timeline/{eventId}": {
    scope: "read",
    summary: "One event",
    query: eventQuerySchema(any).omit({ eventId: true }),
    answers: [200, "The event", json({ type: "object" })],
    problems: [400, 404],
  },
  "get /v1/profiles": {
    scope: "read",
    summary: "What can be asked for",
    answers: [200, "All profiles", pageOf({ type: "object" })],
    problems: [],
  },
};

/** The body of a refusal, as problem.ts writes it. */
const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string().describe("The kind of the error"),
  reason: z.string(),
  hint: z.string().exactOptional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).exactOptional(),
});

/** OpenAPI 3.1; `x-scope` is the scope that a token needs. */
export function openApi(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [request, operation] of Object.entries(operations)) {
    const [method = "", path = ""] = request.split(" ");
    (paths[path] ??= {})[method] = described(method, path, operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "stella exports API",
      version,
      description: "Signed, reproducible export bundles.",
      license: { name: "Apache License 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: { Export: schemaOf(exportSchema), Problem: schemaOf(problemSchema) },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function described(method: string, path: string, operation: Operation): Json {
  const { summary, scope, query, headers, body, answers, also = {}, problems } = operation;
  const [status, description, content] = answers;
  // An invalid id is a fault of the request.
  const malformed = path.includes("{") ? [400] : [];
  const guarded = scope === undefined ? [] : [401, 403, 503];
  const refused = [...malformed, ...problems, ...guarded];
  const others = Object.entries(also).map(([code, about]) => [code, { description: about }]);
  const inPath = Object.fromEntries(
    [...path.matchAll(/\{(\w+)\}/g)].map(([, n]) => [n, z.string()]),
  );
  return {
    operationId: `${method}${path.replace(/\W+(\w)/g, (_, next) => next.toUpperCase())}`
      .replace(/\W/g, ""),
    summary,
    ...(scope === undefined ? { security: [] } : { "x-scope": scope }),
    parameters: [
      ...parameters("path", inPath),
      ...parameters("query", query?.shape),
      ...parameters("header", headers),
    ],
    ...(body && { requestBody: { required: true, content: json(schemaOf(body)) } }),
    responses: {
      [status]: { description, ...(content && { content }) },
      ...Object.fromEntries([...others, ...refused.map((code) => [code, problemFor(code)])]),
    },
  };
}

/** Temporary refusals carry Retry-After. */
function problemFor(status: number): Json {
  const retryAfter = { description: "Seconds to wait", schema: { type: "integer" } };
  return {
    description: "A refusal, RFC 9457",
    ...(status === 429 || status === 503 ? { headers: { "Retry-After": retryAfter } } : {}),
    content: { "application/problem+json": { schema: reference("Problem") } },
  };
}

function parameters(place: string, schemas: Readonly<Record<string, z.core.$ZodType>> = {}) {
  return Object.entries(schemas).map(([name, schema]) => ({
    name,
    in: place,
    required: place === "path",
    schema: schemaOf(schema),
  }));
}

function schemaOf(schema: z.core.$ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}
