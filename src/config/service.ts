/** The service part of the configuration, without zod. */

export const scopes = ["read", "download", "write", "admin"] as const;
/**
 * read: exports, events, profiles, timeline. download: files of bundles. write: request, cancel and
 * retry exports. admin: remove exports with their bundles.
 */
export type Scope = typeof scopes[number];

/** The actor if no token is needed; no token can have this name. */
export const anonymous = "anonymous";

export const defaultService = {
  concurrency: 2,
  stallSeconds: 1_800,
  hosts: [] as string[],
  retentionDays: 90,
  scrubDays: 7,
  maxRequests: 512,
  maxQueued: 20_000,
};
