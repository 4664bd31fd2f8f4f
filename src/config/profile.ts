/** A profile, made exact and free of zod, so that a command line without configuration can make one too. */

export interface FilesSource {
  /** A file, or a directory whose content is packed. */
  path: string;
  /** Where in the payload it goes: a relative path without `.` and `..`. */
  prefix?: string;
}

export type Target =
  | { directory: string }
  | { registry: string; repository: string; tag: string };

export interface Profile {
  name: string;
  kind: "files" | "kit";
  sources: FilesSource[];
  compression: "zstd" | "none";
  /** Seconds in which an export should be done; always below 7200, the last bucket of the histogram. */
  slaSeconds?: number;
  targets: Target[];
}

export interface RegistryConfig {
  name: string;
  /** `https://HOST[:PORT]`; plain http only on loopback or with `plainHttp`. */
  url: string;
  plainHttp?: boolean;
  /** Path of a PEM file with the only certificate authorities that are trusted for it. */
  ca?: string;
  /** Path of a JSON file `{username, password}`, mode 0600. */
  credentialsFile?: string;
}
