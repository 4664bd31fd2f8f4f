/** The requests of the exports API as zod schemas, which also generate /openapi.json. */
import type { Context } from "hono";
import * as z from "zod";
import type { Config } from "../config/load.ts";
import { belongsTo, type Profile } from "../config/profile.ts";
import { volumeBytes, volumeSizes } from "../domain/volume_size.ts";
import { triggers } from "../domain/labels.ts";
import { type Job, states } from "../jobs/job.ts";
import { sha256Hex } from "../domain/hash.ts";
import { StellaError } from "../domain/errors.ts";
import { mayName } from "./access.ts";
import type { Access } from "./deps.ts";
import { problem } from "./problem.ts";
import { shownError } from "./without_paths.ts";

/** A UUIDv7: id of exports and timeline events. */
export const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The syntax of a size; config/volume_size.ts checks its value. */
const sizePattern = /^(fat32|[1-9]\d{0,11}([KMG]B?)?)$/;

/** What a request contains apart from profile and tenant; the queue stores it with the job. */
export const exportOptions = z.strictObject({
  compression: z.enum(["zstd", "none"]).exactOptional(),
  layout: z.enum(["archive", "directory"]).exactOptional(),
  volumeSize: z.string().regex(sizePattern, { error: "is not a size", abort: true })
    .refine((size) => volumeBytes(size) !== undefined, `must be ${volumeSizes}`)
    .exactOptional(),
});

/**
 * Of the caller's profiles and tenants; a foreign name looks like an unknown one. Default tenant:
 * the first one of the caller that may use the profile.
 */
export function requestSchema({ profiles }: Pick<Config, "profiles">, access: Access) {
  const known = (name: string) => {
    const profile = profiles.get(name);
    return profile !== undefined && mayName(access, profile) ? profile : undefined;
  };
  const owner = (name: string) => {
    const profile = known(name);
    return access.tenants.find((one) => profile !== undefined && belongsTo(profile, one));
  };
  return z.strictObject({
    profile: z.string().max(64).refine((name) => known(name) !== undefined, unknownProfile),
    tenant: tenantSchema(access).exactOptional(),
    ...exportOptions.shape,
  }).superRefine(({ profile: name, tenant, layout, volumeSize }, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    const profile = known(name);
    const isForeign = profile !== undefined && tenant !== undefined && !belongsTo(profile, tenant);
    if (isForeign) fault("profile", unknownProfile);
    if (layout !== "directory") return;
    if (volumeSize !== undefined) fault("volumeSize", "is for the layout archive");
    if (!isForeign && isPushed(profile)) {
      fault("layout", "must be archive: the profile has a registry among its targets");
    }
  }).transform(({ tenant, ...rest }) => ({
    ...rest,
    tenant: tenant ?? owner(rest.profile) ?? "default",
  }));
}

const unknownProfile = "is unknown";

function isPushed(profile: Profile | undefined): boolean {
  return profile?.targets.some((target) => "registry" in target) === true;
}

export function tenantSchema({ tenants }: Access) {
  return z.string().max(64).refine((name) => tenants.includes(name), "is unknown");
}

export function listSchema(access: Access) {
  return z.strictObject({
    tenant: tenantSchema(access).exactOptional(),
    profile: z.string().max(64).exactOptional(),
    state: z.enum(states).exactOptional(),
    cursor: z.string().regex(idPattern, "is not a cursor").exactOptional(),
    limit: z.coerce.number().int().min(1).max(500).default(50),
  });
}

export const keySchema = z.string()
  .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 printable characters");

/** A fault of the inputs; `path` is relative to its source. */
const findingSchema = z.strictObject({
  code: z.string(),
  reason: z.string(),
  path: z.string().exactOptional(),
  range: z.tuple([z.number(), z.number()]).exactOptional(),
  line: z.number().exactOptional(),
  found: z.string().exactOptional(),
  expected: z.string().exactOptional(),
  hint: z.string().exactOptional(),
});

const time = z.string().describe("RFC 3339, UTC");

/** The body of an export; what is not known yet is null. */
export const exportSchema = z.strictObject({
  id: z.string().regex(idPattern),
  state: z.enum(states),
  profile: z.string(),
  tenant: z.string(),
  trigger: z.enum(triggers),
  actor: z.string().nullable().describe("Name of the token that requested it"),
  createdAt: time,
  startedAt: time.nullable().describe("Start of the first attempt"),
  endedAt: time.nullable(),
  seconds: z.number().nullable().describe("From the start of the first attempt to the end"),
  attempts: z.number().int(),
  bytes: z.number().int().nullable().describe("Size of the bundle: its files and its manifest"),
  files: z.number().int().nullable().describe("Payload files in the bundle"),
  sameAs: z.string().regex(idPattern).nullable()
    .describe("The earlier export whose stored bundle this one equals"),
  bundleDigest: z.string().regex(sha256Hex).nullable(),
  error: z.strictObject({
    code: z.string(),
    reason: z.string().exactOptional().describe("Absent in exports of earlier versions"),
    message: z.string(),
    hint: z.string().exactOptional(),
    findings: z.array(findingSchema).readonly().exactOptional(),
  }).nullable(),
});

export function shownExport(job: Job): z.output<typeof exportSchema> {
  const { id, state, profile, tenant, trigger, attempt, createdAt, startedAt, finishedAt } = job;
  const { actor = null, bytes = null, files = null, sameAs = null, bundleDigest = null } = job;
  const hasRun = startedAt !== undefined && finishedAt !== undefined;
  return {
    ...{ id, state, profile, tenant, trigger, actor },
    createdAt: timeText(createdAt),
    startedAt: startedAt === undefined ? null : timeText(startedAt),
    endedAt: finishedAt === undefined ? null : timeText(finishedAt),
    seconds: hasRun ? Math.max(0, finishedAt - startedAt) / 1000 : null,
    attempts: attempt,
    ...{ bytes, files, sameAs, bundleDigest },
    error: job.error === undefined ? null : shownError(job.error),
  };
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** One page of a list that was read with one item more than `limit`. */
export function pageOf<Item, Shown extends { id: string }>(
  found: readonly Item[],
  limit: number,
  shown: (item: Item) => Shown,
) {
  const items = found.slice(0, limit).map(shown);
  return { items, next: found.length > limit ? items.at(-1)?.id : null };
}

/** A form on a foreign page cannot send this type without a preflight request. */
export function isJson(c: Context): boolean {
  return /^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? "");
}

/** Whether the body is compressed, or encoded otherwise (RFC 9110 section 8.4). */
export function isEncoded(c: Context): boolean {
  return !/^(identity)?$/i.test(c.req.header("content-encoding")?.trim() ?? "");
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StellaError("request_invalid", "The body is not valid JSON");
  }
}

/** As our own messages read: after the path. */
function wording(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value") return `must be one of ${issue.values.join(", ")}`;
  if (issue.code !== "invalid_type") return issue.message;
  return issue.input === undefined ? "is missing" : `must be a ${issue.expected}`;
}

/** All faults at once. */
export function invalid(c: Context, error: z.ZodError, place?: string) {
  const errors = error.issues.flatMap((issue) => {
    const path = [...(place === undefined ? [] : [place]), ...issue.path].join(".");
    if (issue.code !== "unrecognized_keys") return [{ path, message: wording(issue) }];
    return issue.keys.map((key) => ({ path: key, message: "is not a known field" }));
  });
  return problem(c, "request_invalid", "The request is not valid", { errors });
}
