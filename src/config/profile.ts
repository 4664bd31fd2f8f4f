/** A profile, made exact and free of zod, so that a command line without configuration can make one too. */
import type { RetentionConfig, ScheduleConfig } from "./service.ts";

export interface FilesSource {
  /** A file, or a directory whose content is packed. */
  path: string;
  /** Where in the payload it goes: a relative path without `.` and `..`. */
  prefix?: string;
  /** Globs over the paths below the source: only files that one of them matches are packed. */
  include?: string[];
  /** Globs: what one of them matches is left out, a directory with all that lies below it. */
  exclude?: string[];
  /** Symbolic links are followed, as long as they stay inside the source; otherwise a link is refused. */
  follow?: boolean;
  /**
   * What a payload cannot hold of a name is percent-encoded; whoever asks for it has a place for
   * the true names.
   */
  encodeNames?: boolean;
  /** What the source's lines of the index have to come to; set by whoever has read the files before. */
  sha256?: string;
}

/** Where one kind of risk data comes from: a file or a directory of this machine, or a URL whose content is pinned. */
export interface ProviderConfig {
  kind: "kev" | "osv" | "epss" | "csaf";
  path?: string;
  /** `https://HOST[:PORT]/PATH`; plain http only on loopback. */
  url?: string;
  /** Of what the URL gives, 64 hex digits; always there beside `url`. */
  sha256?: string;
  /** Path of a PEM file with the only certificate authorities that are trusted for the URL. */
  ca?: string;
  licence?: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  asOf?: string;
  onInvalid: "fail" | "skip";
  /** A larger file of JSON or YAML is a bad record. */
  maxRecordBytes?: number;
}

/**
 * `{tenant}` in a directory or a tag stands for the tenant of the export; see target_tenants.ts and
 * tag.ts.
 */
export type Target =
  | { directory: string }
  | { registry: string; repository: string; tag: string };

export interface Profile {
  name: string;
  kind: "files" | "kit" | "risk";
  /** Who may export it; every tenant where it is not given. */
  tenants?: string[];
  sources: FilesSource[];
  /** Of the kind risk, at least one. */
  providers?: ProviderConfig[];
  /** Path of a shared secret that makes a second envelope beside the attestation, for sites without public keys. */
  secretFile?: string;
  compression: "zstd" | "none";
  /** Seconds in which an export should be done; always below 7200, the last bucket of the histogram. */
  slaSeconds?: number;
  targets: Target[];
  /** When the service exports it by itself. */
  schedule?: ScheduleConfig;
  /** Which of its stored bundles stay; all of them where it is not given. */
  retention?: RetentionConfig;
}

/** To every other tenant it is as if the profile did not exist. */
export function belongsTo({ tenants }: Pick<Profile, "tenants">, tenant: string): boolean {
  return tenants === undefined || tenants.includes(tenant);
}

/** A collector of traces; there is none unless the configuration names it. */
export interface TracesConfig {
  /** `https://HOST[:PORT]`; plain http only on loopback or with `plainHttp`. */
  endpoint: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only certificate authorities that are trusted for it. */
  ca?: string;
}

export interface RegistryConfig {
  name: string;
  /** `https://HOST[:PORT]`; plain http only on loopback or with `plainHttp`. */
  url: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only certificate authorities that are trusted for it. */
  ca?: string;
  /** Path of a JSON file `{username, password}`, or docker's config.json, mode 0600. */
  credentialsFile?: string;
  /** Name of a credential of systemd; where it lies is then `credentialsFile`. */
  credential?: string;
  /** Paths of PEM files, both or none: the certificate that is shown to the registry, and its key, mode 0600. */
  clientCertificate?: string;
  clientKey?: string;
}

export interface TimelineConfig {
  /** For so many days events are kept. */
  days: number;
}
