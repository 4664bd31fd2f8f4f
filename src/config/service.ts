/** What the configuration says about the service itself, free of zod. */

export const scopes = ["read", "download", "write", "admin"] as const;
/**
 * read: exports, events, profiles, timeline. download: the files of a bundle. write: ask for, cancel and repeat exports.
 * admin: remove exports with their bundles.
 */
export type Scope = typeof scopes[number];

/** Who acts where no token is needed; no token can have this name. */
export const anonymous = "anonymous";

export interface TokenConfig {
  name: string;
  /** Hex sha256 of the token; the token itself is written nowhere. */
  sha256: string;
  tenants: string[];
  scopes: Scope[];
}

export interface TlsConfig {
  /** PEM, with the authorities in between. */
  certificate: string;
  /** PEM; nobody but its owner and group may read it. */
  key: string;
}

export interface ServiceConfig {
  /** Exports that run at once. */
  concurrency: number;
  /** Seconds without progress after which an export is ended. */
  stallSeconds: number;
  /** IP:PORT, as config/listen.ts reads it; the command line and the environment win over it. */
  listen?: string;
  /** As `listen`: where operations are served besides, without tokens. */
  opsListen?: string;
  /** Names by which clients reach the service, beside IP addresses and localhost. */
  hosts: string[];
  tls?: TlsConfig;
  /** Days for which an export that has ended is remembered; its bundle lives by the retention of its profile. */
  retentionDays: number;
  /** Days in which every stored bundle is read once and compared with its manifest; 0: never. */
  scrubDays: number;
  /**
   * Requests to the API that are open at once, slow bodies among them, and twice the downloads;
   * more are told to come back. With those fewer than a process has connections, so that health and
   * metrics find one.
   */
  maxRequests: number;
  /** Exports of one tenant that wait at once; more are told to come back. */
  maxQueued: number;
}

export interface ScheduleConfig {
  /** Minute, hour, day of month, month, day of week. */
  cron: string;
  /** IANA time zone. */
  zone: string;
  /**
   * Where a run finds the same as the newest stored bundle holds, whether it stores a second one.
   */
  whenUnchanged: "skip" | "export";
  /** Whose export it is; the first tenant of the profile where it is not given. */
  tenant?: string;
}

/** Which stored bundles of a profile stay, for each tenant; both: those that either would keep. */
export interface RetentionConfig {
  /** So many of the newest. */
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
