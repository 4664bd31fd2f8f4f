/** Providers of risk data, the results of their parsers, and counts. */

export type ProviderKind = "kev" | "osv" | "epss" | "csaf";

/** Of the joined lines; sorts before `originals/`, so they are at the start of the archive. */
export const joinedFolder = "joined";
export const providersName = "providers.json";
export const rejectedName = "rejected.ndjson";

/** Default size limit in bytes of a file with one record. */
export const defaultMaxRecordBytes = 256 * 1024 * 1024;

export interface Provider {
  kind: ProviderKind;
  /** Name of its folder in the payload; unique among the providers of a bundle. */
  name: string;
  path: string;
  /** The download URL without its query, which may contain a secret. */
  url?: string;
  /** SPDX expression or other text, from the configuration: no data states it reliably. */
  licence?: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`; undefined: the provider's own date. */
  asOf?: string;
  /** Invalid records: end the export with a list of them, or leave them out and list them. */
  onInvalid: "fail" | "skip";
  /** A larger JSON or YAML file is an invalid record. */
  maxRecordBytes?: number;
}

export interface Place {
  /** Relative to the provider's path. */
  path: string;
  /** Line of a text file, from 1. */
  line?: number;
  /** Index of the record in a file of many; not recorded, because the reason has it. */
  entry?: number;
}

/** Something that was left out. `reason` may contain untrusted text: escape it. */
export interface LeftOut extends Pick<Place, "path" | "line"> {
  provider: string;
  /** The location, as in `vulnerabilities[3].dueDate`, and the fault. */
  reason: string;
  what: "record" | "id";
  /** Ids that it may be about; absent if unknown. */
  ids?: readonly string[];
}

/** Why a record is under a CVE: its only one, one of several, or named as upstream or related. */
export const links = ["alias", "several", "upstream", "related"] as const;
export type Link = typeof links[number];

/** A parser's result for a record: facts under the ids that it is about. */
export interface Fact {
  /** The id under which it is found if its ids lead to no CVE, or to several. */
  key: string;
  /** Names of the same vulnerability: its own id and its aliases. */
  ids: readonly string[];
  /** Ids that it repackages or is related to: it is listed under their CVEs too, marked so. */
  upstream?: readonly string[];
  related?: readonly string[];
  record: string;
  /** Its part of the joined line; plain JSON. */
  value: unknown;
  /** Above 0 it continues the previous fact, whose value would be too long for one line. */
  piece?: number;
}

/** A file with all its facts about a record; the newest version of a record counts. */
export interface Advisory {
  /** Its publisher's name for it, with the publisher. */
  identity: string;
  version: Version;
  path: string;
  facts: readonly Fact[];
}

/** The later time is the newer version, and at the same time the greater number. */
export interface Version {
  time: string;
  /** As in `2` or `1.0.3`. */
  number?: string;
}

/** A fact that is a record by itself, under one CVE. */
export interface Row extends Place {
  cve: string;
  /** RFC 3339, of its file; the newest row of a CVE counts. */
  time?: string;
  value: unknown;
}

export interface Sink {
  advisory(advisory: Advisory): void;
  row(row: Row): void;
  reject(place: Place, reason: string, ids?: readonly string[]): void;
  /** Leaves out an id but not its record; `ids` are those of the record, and the text itself. */
  rejectId(place: Place, reason: string, ids: readonly string[]): void;
  /** A date in the data, RFC 3339; the latest plausible one becomes its as-of date. */
  recordDate(date: string): void;
}

/** A file of a provider, read once while its digest is computed. */
export interface Original {
  /** Relative to the provider's path; the name of a single file. */
  path: string;
  size: number;
  /** The bytes in order; each block is a view that is valid until the next one. */
  blocks(): Generator<Uint8Array>;
  maxRecordBytes: number;
}

export function folderOf(provider: Pick<Provider, "name">): string {
  return `originals/${provider.name}`;
}

export interface Counts {
  /** Valid records that were joined, without duplicates. */
  records: number;
  rejected: number;
  duplicates: number;
  superseded: number;
  badIds: number;
  /** Number of records listed under a CVE, by reason. */
  links: Record<Link, number>;
  /** Files that are included but were not read, and the first hundred of their names. */
  unread: { files: number; names: string[] };
}

/** Report on a provider: in providers.json, in the export's result, and in answers to queries. */
export interface ProviderReport extends Counts {
  name: string;
  kind: ProviderKind;
  folder: string;
  url?: string;
  licence: string | null;
  asOf: string;
  onInvalid: "fail" | "skip";
  files: number;
  bytes: number;
  /** SHA-256 of the lines of SHA256SUMS below the folder. */
  sha256: string;
  /** True names of files by their names in the folder, if they differ. */
  names?: Record<string, string>;
}
