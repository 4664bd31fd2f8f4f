/** A profile as data, without zod, so that a command line without configuration can create one. */
import type { RetentionConfig, ScheduleConfig } from "./service.ts";

export interface FilesSource {
  /** A file, or a directory whose content is packed. */
  path: string;
  /** Its path in the payload: relative, without `.` and `..`. */
  prefix?: string;
  /** Globs for paths below the source: only matching files are packed. */
  include?: string[];
  /** Globs: matching entries are left out, directories with everything below them. */
  exclude?: string[];
  /** Follow symbolic links that stay inside the source; otherwise links are refused. */
  follow?: boolean;
  /** Percent-encode names that a payload cannot hold; the caller records the true names. */
  encodeNames?: boolean;
  /** Expected digest of the source's index lines; set if the files were read before. */
  sha256?: string;
}

/** A provider of risk data: a local file or directory, or a URL whose content is pinned. */
export interface ProviderConfig {
  kind: "kev" | "osv" | "epss" | "csaf";
  path?: string;
  /** `https://HOST[:PORT]/PATH`; plain http only on loopback. */
  url?: string;
  /** Digest of the downloaded content, 64 hex digits; required with `url`. */
  sha256?: string;
  /** Path of a PEM file with the only certificate authorities trusted for the URL. */
  ca?: string;
  licence?: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  asOf?: string;
  onInvalid: "fail" | "skip";
  /** A larger JSON or YAML file is an invalid record. */
  maxRecordBytes?: number;
}

/**
 * `{tenant}` in a directory or a tag is the tenant of the export; see target_tenants.ts and tag.ts.
 */
export type Target =
  | { directory: string }
  | { registry: string; repository: string; tag: string };

export interface Profile {
  name: string;
  kind: "files" | "kit" | "risk";
  /** Tenants that may export it; default: all. */
  tenants?: string[];
  sources: FilesSource[];
  /** At least one for the kind risk. */
  providers?: ProviderConfig[];
  /** Path of a shared secret for an additional HMAC signature, for sites without public keys. */
  secretFile?: string;
  compression: "zstd" | "none";
  /** Seconds in which an export should be done; below 7200, the last bucket of the histogram. */
  slaSeconds?: number;
  targets: Target[];
  /** When the service exports it by itself. */
  schedule?: ScheduleConfig;
  /** Which of its stored bundles are kept; default: all. */
  retention?: RetentionConfig;
}

/** For every other tenant the profile does not exist. */
export function belongsTo({ tenants }: Pick<Profile, "tenants">, tenant: string): boolean {
  return tenants === undefined || tenants.includes(tenant);
}

/** The trace collector, if one is configured. */
export interface TracesConfig {
  /** `https://HOST[:PORT]`; plain http only on loopback or with `plainHttp`. */
  endpoint: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only certificate authorities trusted for it. */
  ca?: string;
}

export interface RegistryConfig {
  name: string;
  /** `https://HOST[:PORT]`; plain http only on loopback or with `plainHttp`. */
  url: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only certificate authorities trusted for it. */
  ca?: string;
  /** Path of a JSON file `{username, password}`, or docker's config.json, mode 0600. */
  credentialsFile?: string;
  /** Name of a systemd credential; its path is then in `credentialsFile`. */
  credential?: string;
  /** Paths of PEM files, both or none: the client certificate, and its key, mode 0600. */
  clientCertificate?: string;
  clientKey?: string;
}

export interface TimelineConfig {
  /** Days for which events are kept. */
  days: number;
}
