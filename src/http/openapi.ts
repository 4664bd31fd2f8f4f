/**
 * `/openapi.json`, generated from the schemas of the requests. A test compares it with the routes
 * of the app; another sends the described requests with every token.
 */
import * as z from "zod";
import type { Config } from "../config/load.ts";
import type { Scope } from "../config/service.ts";
import { exportSchema, keySchema, listSchema, requestSchema } from "./export_request.ts";
import { eventQuerySchema, timelineSchema } from "./timeline.ts";

type Json = Record<string, unknown>;

interface Details {
  /** Parameters of the query. */
  query?: z.ZodObject;
  headers?: Record<string, z.ZodType>;
  body?: z.ZodType;
  /** Status and media type of success; problems are added. */
  answers: [status: number, about: string, content?: Json];
  /** Other successful responses. */
  also?: Record<number, string>;
  problems: number[];
}

type Operation = ReturnType<typeof operation>;

/** `request` is method and path; without `scope` no token is needed. */
function operation(request: string, scope: Scope | undefined, summary: string, details: Details) {
  const [method = "", path = ""] = request.split(" ");
  return { method, path, scope, summary, ...details };
}

const any = { actor: "any", tenants: ["default"], scopes: [] };
const noProfiles: Pick<Config, "profiles"> = { profiles: new Map() };
const oneExport = { "application/json": { schema: { $ref: "#/components/schemas/Export" } } };
const stream = (type: string) => ({ [type]: { schema: { type: "string", format: "binary" } } });

function pageOf(item: Json): Json {
  const next = { type: ["string", "null"] };
  const properties = { items: { type: "array", items: item }, next };
  return {
    "application/json": { schema: { type: "object", required: ["items", "next"], properties } },
  };
}

const operations: readonly Operation[] = [
  operation("get /signing.pub", undefined, "The public key that exports are signed with", {
    answers: [200, "PEM, SubjectPublicKeyInfo", stream("application/x-pem-file")],
    problems: [403, 404],
  }),
  operation("post /v1/exports", "write", "Ask for an export", {
    headers: { "Idempotency-Key": keySchema },
    body: requestSchema(noProfiles, any),
    answers: [202, "It waits; Location names it", oneExport],
    problems: [400, 413, 415, 422, 429, 507],
  }),
  operation("get /v1/exports", "read", "List exports, newest first", {
    query: listSchema(any),
    answers: [200, "A page", pageOf({ $ref: "#/components/schemas/Export" })],
    problems: [400],
  }),
  operation("get /v1/exports/{id}", "read", "One export", {
    answers: [200, "As it stands", oneExport],
    problems: [404],
  }),
  operation("delete /v1/exports/{id}", "admin", "Remove an export that has ended, and its bundle", {
    answers: [204, "It is gone"],
    problems: [404, 409],
  }),
  operation(
    "post /v1/exports/{id}/cancel",
    "write",
    "End an export: at once where it waits, soon where it runs",
    {
      answers: [202, "As it stands", oneExport],
      problems: [404, 409],
    },
  ),
  operation("post /v1/exports/{id}/retry", "write", "Queue a failed or cancelled export again", {
    answers: [202, "It waits", oneExport],
    problems: [404, 409, 429],
  }),
  operation(
    "get /v1/exports/{id}/events",
    "read",
    "Follow an export: events step, progress and end",
    {
      headers: { "Last-Event-ID": z.string() },
      answers: [200, "Server-sent events", stream("text/event-stream")],
      problems: [404],
    },
  ),
  operation("get /v1/exports/{id}/files", "download", "The files of its bundle", {
    answers: [200, "All of them", pageOf({ type: "object" })],
    problems: [404],
  }),
  operation(
    "get /v1/exports/{id}/files/{path}",
    "download",
    "One file; ranges and entity tags are honoured",
    {
      headers: { Range: z.string(), "If-None-Match": z.string(), "If-Range": z.string() },
      answers: [200, "Its bytes", stream("application/octet-stream")],
      also: { 206: "Some of its bytes", 304: "The client has it" },
      problems: [404, 416],
    },
  ),
  operation(
    "get /v1/exports/{id}/bundle.tar",
    "download",
    "The whole bundle as one stream, manifest first",
    {
      headers: { "If-None-Match": z.string() },
      answers: [200, "A tar", stream("application/x-tar")],
      also: { 304: "The client has it" },
      problems: [404, 409],
    },
  ),
  operation(
    "get /v1/timeline",
    "read",
    "What happened to exports; next continues as after, or as before with first=newest",
    {
      query: timelineSchema(any),
      answers: [200, "A page", pageOf({ type: "object" })],
      problems: [400],
    },
  ),
  operation("get /v1/timeline/{eventId}", "read", "One event", {
    query: eventQuerySchema(any).omit({ eventId: true }),
    answers: [200, "The event", { "application/json": { schema: { type: "object" } } }],
    problems: [400, 404],
  }),
  operation("get /v1/profiles", "read", "What can be asked for", {
    answers: [200, "All profiles", pageOf({ type: "object" })],
    problems: [],
  }),
];

const problemSchema: Json = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "reason"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string", description: "The kind of the error" },
    reason: { type: "string" },
    hint: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } },
      },
    },
  },
};

/** OpenAPI 3.1; `x-scope` is the scope that a token needs. */
export function openApi(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    (paths[operation.path] ??= {})[operation.method] = described(operation);
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
      schemas: { Export: schemaOf(exportSchema), Problem: problemSchema },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function described(operation: Operation): Json {
  const { method, path, summary, scope, body, answers, also = {}, problems } = operation;
  const [status, description, content] = answers;
  // An invalid id is a fault of the request.
  const malformed = path.includes("{") ? [400] : [];
  const guarded = scope === undefined ? [] : [401, 403, 503];
  const refused = [...malformed, ...problems, ...guarded];
  const refusals = refused.map((status) => [status, problemFor(status)] as const);
  const others = Object.entries(also).map(([status, description]) =>
    [status, { description }] as const
  );
  return {
    operationId: `${method}${path.replace(/\W+(\w)/g, (_, next) => next.toUpperCase())}`
      .replace(/\W/g, ""),
    summary,
    ...(scope === undefined ? { security: [] } : { "x-scope": scope }),
    parameters: parametersOf(operation),
    ...(body === undefined ? {} : {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(body) } } },
    }),
    responses: {
      [status]: { description, ...(content === undefined ? {} : { content }) },
      ...Object.fromEntries([...others, ...refusals]),
    },
  };
}

const problemSchemaRef = { schema: { $ref: "#/components/schemas/Problem" } };

/** Temporary refusals carry Retry-After. */
function problemFor(status: number): Json {
  const retryAfter = { description: "Seconds to wait", schema: { type: "integer" } };
  return {
    description: "A refusal, RFC 9457",
    ...(status === 429 || status === 503 ? { headers: { "Retry-After": retryAfter } } : {}),
    content: { "application/problem+json": problemSchemaRef },
  };
}

function parametersOf({ path, query, headers = {} }: Operation): Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: schemaOf(schema as z.ZodType),
  }));
  const inHeader = Object.entries(headers).map(([name, schema]) => ({
    name,
    in: "header",
    required: false,
    schema: schemaOf(schema),
  }));
  return [...inPath, ...inQuery, ...inHeader];
}

function schemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}
