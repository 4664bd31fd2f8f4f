/**
 * What a line of the log may be, described a second time: a reader of the log relies on it, whatever the
 * writer is made of.
 */
import * as z from "zod";
import { exitCodes } from "../../src/domain/errors.ts";
import type { LogFields } from "../../src/telemetry/log.ts";

const id = z.string().regex(
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
);
const name = z.string().regex(/^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$/);
const text = z.string().min(1);
const count = z.number().int().min(0);

/** One for each field there is; a new one does not compile without its row here. */
const fields: Record<keyof LogFields, z.ZodType> = {
  exportId: id.exactOptional(),
  profile: name.exactOptional(),
  tenant: name.exactOptional(),
  actor: name.exactOptional(),
  trigger: z.enum(["api", "cli", "schedule"]).exactOptional(),
  bundleDigest: z.string().regex(/^[0-9a-f]{64}$/).exactOptional(),
  sameAs: id.exactOptional(),
  attestationStatus: z.enum(["verified", "failed", "pending"]).exactOptional(),
  registry: name.exactOptional(),
  stage: z.enum(["plan", "read", "sign", "verify", "store", "push"]).exactOptional(),
  durationMs: count.exactOptional(),
  check: z.string().regex(/^[a-z]+:[a-z0-9._-]+$/).exactOptional(),
  status: text.exactOptional(),
  detail: text.exactOptional(),
  method: z.string().regex(/^[A-Z]+$/).exactOptional(),
  route: z.string().regex(/^(\/|other$)/).exactOptional(),
  client: z.union([z.ipv4(), z.ipv6()]).exactOptional(),
  url: text.exactOptional(),
  path: text.exactOptional(),
  count: count.exactOptional(),
  error: z.strictObject({
    code: z.enum(Object.keys(exitCodes)),
    reason: text.exactOptional(),
    message: text,
    hint: text.exactOptional(),
    findings: z.array(z.looseObject({ reason: text })).min(1).exactOptional(),
  }).exactOptional(),
  traceId: z.string().regex(/^[0-9a-f]{32}$/).exactOptional(),
};

const severities: Record<string, number> = { INFO: 9, WARN: 13, ERROR: 17 };

export const lineSchema = z.strictObject({
  timestamp: z.iso.datetime({ precision: 3 }),
  severityText: z.enum(Object.keys(severities)),
  severityNumber: z.number(),
  body: text.regex(/^[a-z].*[^.]$/),
  event: z.string().regex(/^[a-z]+(\.[a-z]+)+$/),
  resource: z.strictObject({
    "service.name": z.literal("stella"),
    "service.version": text,
    "service.instance.id": text,
  }),
  ...fields,
}).refine(
  (line) => severities[line.severityText] === line.severityNumber,
  "the number is not that of the text",
).refine(
  (line) => !("exportId" in line) || "profile" in line && "tenant" in line,
  "an export has its profile and its tenant on every line",
);

export type Line = z.output<typeof lineSchema> & LogFields;

/** All lines of a log. @throws with the first invalid line */
export function linesOf(log: string): Line[] {
  return log.trimEnd().split("\n").map((line) => {
    const read = lineSchema.safeParse(JSON.parse(line));
    if (!read.success) throw new Error(`${z.prettifyError(read.error)}\n${line}`);
    return read.data as Line;
  });
}
