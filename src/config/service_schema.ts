/** `service`, `tokens`, and the parts of a profile that only the service reads. */
import { Cron } from "croner";
import * as z from "zod";
import { durationSeconds } from "./duration.ts";
import { defaultListen, readAddress } from "./listen.ts";
import { absolutePath, sha256Text } from "./registry_schema.ts";
import { defaultService, scopes } from "./service.ts";

const days = z.number().int().max(3650);
const count = z.number().int().min(1);

/** A duration in seconds; `range` tells in words what `isInRange` checks. */
export function duration(isInRange: (seconds: number) => boolean, range: string) {
  return z.string().transform((value, context): number => {
    const seconds = durationSeconds(value);
    if (seconds !== undefined && isInRange(seconds)) return seconds;
    context.addIssue({ code: "custom", message: `must be a duration ${range}` });
    return z.NEVER;
  });
}

const stallTimeout = duration((seconds) => seconds >= 60, "such as 30m, at least 1m");

const host = z.string().regex(
  /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
  "must be a host name in lower case, without a port",
);

const address = z.string().refine(readAddress, `must be IP:PORT, such as ${defaultListen}`);

export const serviceSchema = z.strictObject({
  concurrency: z.number().int().min(1).max(16).default(defaultService.concurrency),
  stallTimeout: stallTimeout.default(defaultService.stallSeconds),
  listen: address.exactOptional(),
  opsListen: address.exactOptional(),
  hosts: z.array(host).default([]),
  tls: z.strictObject({ certificate: absolutePath, key: absolutePath }).exactOptional(),
  retentionDays: days.min(1).default(defaultService.retentionDays),
  scrubDays: days.min(0).default(defaultService.scrubDays),
  maxRequests: count.max(1_000).default(defaultService.maxRequests),
  maxQueued: count.max(1_000_000).default(defaultService.maxQueued),
}).transform(({ stallTimeout, ...rest }) => ({ ...rest, stallSeconds: stallTimeout }));

/** Former names of keys, with the new one. */
export const renamedKeys: Readonly<Record<string, string>> = {
  "service.stall": "stallTimeout",
  "service.keepDays": "retentionDays",
  "service.mostRequests": "maxRequests",
  "service.mostQueued": "maxQueued",
};

export const tokenSchema = z.strictObject({
  sha256: sha256Text,
  tenants: z.array(z.string()).min(1, "must name at least one tenant"),
  scopes: z.array(z.enum(scopes, `must be one of ${scopes.join(", ")}`))
    .min(1, "must name at least one scope"),
});

export const retentionSchema = z.strictObject({
  keep: z.number().int().min(1).max(10_000).exactOptional(),
  days: days.min(1).exactOptional(),
}).refine(({ keep, days }) => keep !== undefined || days !== undefined, "must have keep or days");

export const scheduleSchema = z.strictObject({
  cron: z.string(),
  zone: z.string().default("UTC"),
  tenant: z.string().exactOptional(),
  whenUnchanged: z.enum(["skip", "export"], "must be skip or export").default("skip"),
}).superRefine(({ cron, zone }, context) => {
  const fault = scheduleFault(cron, zone);
  if (fault !== undefined) context.addIssue({ code: "custom", ...fault });
});

function scheduleFault(cron: string, zone: string) {
  const says = (path: string, message: string) => ({ path: [path], message });
  if (!isZone(zone)) return says("zone", "must be a time zone such as UTC or Europe/Berlin");
  if (cron.trim().split(/\s+/).length !== 5) {
    return says("cron", "must have five fields: minute hour day month weekday");
  }
  try {
    const next = new Cron(cron, { timezone: zone, paused: true }).nextRun();
    return next === null ? says("cron", "is never due") : undefined;
  } catch {
    return says("cron", 'cannot be read: write it as "0 3 * * *"');
  }
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
