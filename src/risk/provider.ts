/** The models of the room: what a provider of risk data is, what is said about a bad record, and what is counted. */

export const providerKinds = ["kev", "osv", "epss", "csaf"] as const;
export type ProviderKind = typeof providerKinds[number];

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
}

/** One thing that is wrong with a record, and where. Text of the data may be in `reason`: render it escaped. */
export interface BadRecord {
  /** Name of the provider. */
  provider: string;
  /** Below the provider's path. */
  path: string;
  /** Of a text file, from 1. */
  line?: number;
  /** As in `vulnerabilities[3].dueDate`, and what is wrong there. */
  reason: string;
}

/** What a parser says of one record: facts under the ids that it is about. */
export interface Fact {
  /** The ids of the record itself and its aliases, of which the CVEs become keys. */
  ids: readonly string[];
  /** The record's own name within its provider. */
  record: string;
  /** What the joined line takes from it; plain JSON. */
  value: unknown;
  path: string;
  line?: number;
}

/** Where a parser puts what it finds. */
export interface Sink {
  fact(fact: Fact): void;
  bad(path: string, reason: string, line?: number): void;
  /** A date of the data itself, RFC 3339; the latest plausible one becomes its as-of date. */
  dated(date: string): void;
}

/** A file of a provider, read once: its digest is taken on the way. */
export interface Original {
  /** Below the provider's path; a lone file's own name. */
  path: string;
  size: number;
  /** The bytes in order, each block a view that lives until the next one. */
  blocks(): Generator<Uint8Array>;
}

/** The folder of a provider's files in the payload. */
export function folderOf(provider: Pick<Provider, "name">): string {
  return `originals/${provider.name}`;
}
