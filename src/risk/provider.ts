/**
 * The models of the module: what a provider of risk data is, what is said about a bad record, and
 * what is counted.
 */

export const providerKinds = ["kev", "osv", "epss", "csaf"] as const;
export type ProviderKind = typeof providerKinds[number];

/** Bytes of a file with one record, where the configuration says nothing. */
export const defaultMaxRecordBytes = 256 * 1024 * 1024;

export interface Provider {
  kind: ProviderKind;
  /** Names its folder in the payload; distinct among the providers of a bundle. */
  name: string;
  /** A file, or a directory of files. */
  path: string;
  /** Where it was downloaded from; without a query, which may hold a secret. */
  url?: string;
  /** SPDX expression or other words, from the configuration: nothing in the data says it reliably. */
  licence?: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`; undefined: the provider's own date. */
  asOf?: string;
  /** What a bad record does: end the export with all of them listed, or be left out and listed in the bundle. */
  onInvalid: "fail" | "skip";
  /** A larger file of JSON or YAML is a bad record. */
  maxRecordBytes?: number;
}

/** Where something stands that is wrong. */
export interface Place {
  /** Below the provider's path. */
  path: string;
  /** Of a text file, from 1. */
  line?: number;
}

/**
 * One thing that was left out, and where. Text of the data may be in `reason`: render it escaped.
 */
export interface LeftOut extends Place {
  /** Name of the provider. */
  provider: string;
  /** As in `vulnerabilities[3].dueDate`, and what is wrong there. */
  reason: string;
  what: "record" | "id";
  /** What it may be about; absent where nothing can be said of that. */
  ids?: readonly string[];
}

/**
 * Why a record stands under a CVE: the CVE is its only one, one of several that it covers, or one
 * that it names as upstream or related.
 */
export const links = ["alias", "several", "upstream", "related"] as const;
export type Link = typeof links[number];

/** What a parser says of one record: facts under the ids that it is about. */
export interface Fact {
  /** The id under which it is found where its ids lead to no CVE, or to several. */
  key: string;
  /** Names of one and the same thing: its own id and its aliases. */
  ids: readonly string[];
  /**
   * Ids of what it repackages, and of what is near it: it is found under their CVEs too, marked as
   * such.
   */
  upstream?: readonly string[];
  related?: readonly string[];
  /** The record's own name within its provider. */
  record: string;
  /** What the joined line takes from it; plain JSON. */
  value: unknown;
  /** Above 0 it carries on the fact before it, whose value would be too long for one line. */
  piece?: number;
}

/**
 * One file with all that it says of one record; of several versions of the record the newest
 * counts.
 */
export interface Advisory {
  /** What its publisher calls it, with the publisher. */
  identity: string;
  version: Version;
  path: string;
  facts: readonly Fact[];
}

/** The later time is the newer version, and of one time the greater number. */
export interface Version {
  /** RFC 3339. */
  time: string;
  /** As in `2` or `1.0.3`. */
  number?: string;
}

/** A fact that is a record by itself, under one CVE. */
export interface Row extends Place {
  cve: string;
  /** RFC 3339, of the file that it stands in; the newest row of a CVE counts. */
  time?: string;
  value: unknown;
}

/** Where a parser puts what it finds. */
export interface Sink {
  advisory(advisory: Advisory): void;
  row(row: Row): void;
  /** The record is left out. */
  reject(place: Place, reason: string, ids?: readonly string[]): void;
  /**
   * An id of a record is left out, and the record is not; `ids` are those of the record, and the
   * text itself.
   */
  rejectId(place: Place, reason: string, ids: readonly string[]): void;
  /** A date of the data itself, RFC 3339; the latest plausible one becomes its as-of date. */
  recordDate(date: string): void;
}

/** A file of a provider, read once: its digest is taken on the way. */
export interface Original {
  /** Below the provider's path; a lone file's own name. */
  path: string;
  size: number;
  /** The bytes in order, each block a view that lives until the next one. */
  blocks(): Generator<Uint8Array>;
  maxRecordBytes: number;
}

/** The folder of a provider's files in the payload. */
export function folderOf(provider: Pick<Provider, "name">): string {
  return `originals/${provider.name}`;
}

/** What is counted of a provider. */
export interface Counts {
  /** Good ones that were joined, each once. */
  records: number;
  /** Bad ones that were left out. */
  rejected: number;
  /** The same record again. */
  duplicates: number;
  /** Older versions of a record. */
  superseded: number;
  /** Ids of good records that were left out. */
  badIds: number;
  /** How often a record stands under a CVE, by the reason why. */
  links: Record<Link, number>;
  /** Files that are carried and were not read, and the first hundred of their names. */
  unread: { files: number; names: string[] };
}

/** What is told of a provider: in providers.json, by the export, and with the answer to a query. */
export interface ProviderReport extends Counts {
  name: string;
  kind: ProviderKind;
  /** `originals/<name>`. */
  folder: string;
  url?: string;
  licence: string | null;
  asOf: string;
  onInvalid: "fail" | "skip";
  files: number;
  bytes: number;
  /** sha256 over the lines of SHA256SUMS below the folder. */
  sha256: string;
  /** True names of files by their names in the folder, where these differ. */
  names?: Record<string, string>;
}
