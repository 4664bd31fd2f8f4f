/** The service part of the configuration, without zod. */

export const scopes = ["read", "download", "write", "admin"] as const;
/**
 * read: exports, events, profiles, timeline. download: files of bundles. write: request, cancel and
 * retry exports. admin: remove exports with their bundles.
 */
export type Scope = typeof scopes[number];

/** The actor if no token is needed; no token can have this name. */
export const anonymous = "anonymous";

export interface TokenConfig {
  name: string;
  /** SHA-256 of the token in hex; the token itself is stored nowhere. */
  sha256: string;
  tenants: string[];
  scopes: Scope[];
}

export interface TlsConfig {
  /** PEM, with intermediate authorities. */
  certificate: string;
  /** PEM, readable only by owner and group. */
  key: string;
}

export interface ServiceConfig {
  /** Number of exports that run at once. */
  concurrency: number;
  /** Seconds without progress after which an export is aborted. */
  stallSeconds: number;
  /** IP:PORT, parsed by config/listen.ts; command line and environment take precedence. */
  listen?: string;
  /** Like `listen`: additional address for operations, without tokens. */
  opsListen?: string;
  /** Host names by which clients reach the service, besides IP addresses and localhost. */
  hosts: string[];
  tls?: TlsConfig;
  /** Days for which an ended export is kept; its bundle is kept by the retention of its profile. */
  retentionDays: number;
  /** Days between scrubs of a stored bundle; 0: never. */
  scrubDays: number;
  /**
   * API requests served at once, including slow bodies, and half as many downloads; more get 503.
   * Below the number of connections of a process, so that health and metrics still get one.
   */
  maxRequests: number;
  /** Exports of one tenant that may wait; more get 429. */
  maxQueued: number;
}

export interface ScheduleConfig {
  /** Minute, hour, day of month, month, day of week. */
  cron: string;
  /** IANA time zone. */
  zone: string;
  /** Whether a run stores a second copy if the result equals the newest stored bundle. */
  whenUnchanged: "skip" | "export";
  /** The tenant of the export; default: the first one of the profile. */
  tenant?: string;
}

/**
 * Which stored bundles of a profile are kept, per tenant; with both rules, those that either keeps.
 */
export interface RetentionConfig {
  /** Number of newest bundles. */
  keep?: number;
  days?: number;
}

export const defaultService: ServiceConfig = {
  concurrency: 2,
  stallSeconds: 1_800,
  hosts: [],
  retentionDays: 90,
  scrubDays: 7,
  maxRequests: 512,
  maxQueued: 20_000,
};
