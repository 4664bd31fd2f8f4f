/**
 * Joins sorted facts to one line per id with the data of all providers. Its format is a contract
 * with users of jq; it is documented in the manual.
 */
import { sha256 } from "../domain/hash.ts";
import { isCve } from "./ids.ts";
import { joinedFileOf } from "./joined_files.ts";
import type { Link, ProviderKind } from "./provider.ts";

/** By a link to a CVE, or under the record's own id, which leads to no CVE or covers several. */
export type Mark = Link | "own" | "covers";

/** A fact in the spool; its text form sorts by file, key, provider, record and order. */
export interface SpooledFact {
  key: string;
  provider: number;
  record: string;
  /** Order among the facts of a record under the same key. */
  order: string;
  /** Absent for a row. */
  mark?: Mark | undefined;
  /** Above 0 it continues the previous fact. */
  piece?: number | undefined;
  path: string;
  line?: number | undefined;
  value: unknown;
}

type Json = Record<string, unknown>;
type Source = { provider: string; record: string } & Json;

/** A joined line, in this order. */
export interface Joined {
  /** A CVE id, or the own id of a record that leads to none or covers several. */
  id: string;
  /** Other ids of the same vulnerability. */
  aliases: string[];
  /** Ids that the record names as aliases although they belong to several CVEs. */
  covers?: string[];
  kev: Json | null;
  epss: Json | null;
  /** Packages, each with its record. */
  affected: Json[];
  /** Status of products, each with its document. */
  vex: Json[];
  sources: Source[];
}

/**
 * Ids and names contain no tab, which sorts before all their characters, so `a` comes before `a-b`.
 */
export function encodeFact(fact: SpooledFact): string {
  const { key, provider, record, order, value, ...about } = fact;
  const head = [joinedFileOf(key), key, String(provider).padStart(3, "0"), record, order];
  return [...head, JSON.stringify(about), JSON.stringify(value)].join("\t");
}

export function decodeFact(text: string): SpooledFact {
  const [, key = "", provider = "", record = "", order = "", about = "", ...value] = text.split(
    "\t",
  );
  const head = { key, provider: Number(provider), record, order };
  return { ...head, ...JSON.parse(about), value: JSON.parse(value.join("\t")) };
}

type NamedProvider = { kind: ProviderKind; name: string };

/** All facts about an id, at most one from each record. */
export function joinFacts(
  facts: readonly SpooledFact[],
  providers: readonly NamedProvider[],
): Joined {
  const id = facts[0]!.key;
  const lists = { affected: [], vex: [], sources: [] };
  const joined: Joined = { id, aliases: [], kev: null, epss: null, ...lists };
  for (const fact of facts) add(joined, fact, providers[fact.provider]!);
  joined.aliases = [...new Set(joined.aliases)].filter((one) => one !== id).sort();
  joined.affected = distinct(joined.affected);
  if (joined.covers === undefined) return joined;
  // Beside the other ids, where a reader looks for it.
  const { id: _, aliases, covers, ...rest } = joined;
  return { id, aliases, covers: [...new Set(covers)].sort(), ...rest };
}

function add(joined: Joined, fact: SpooledFact, provider: NamedProvider): void {
  const value = fact.value as Json;
  const source = { provider: provider.name, record: fact.record };
  switch (provider.kind) {
    case "osv":
      return addOsv(joined, fact, value, source);
    case "csaf":
      return addCsaf(joined, fact, value, source);
    case "kev":
      joined.kev ??= value;
      break;
    case "epss":
      joined.epss ??= value;
      break;
    default:
      // A kind that is not joined is a compile error here.
      return provider.kind satisfies never;
  }
  joined.sources.push(source);
}

function addOsv(joined: Joined, { mark, record }: SpooledFact, value: Json, source: Source): void {
  const { aliases, upstream, related, affected = [], ...rest } = value as {
    aliases: string[];
    upstream?: string[];
    related?: string[];
    affected?: Json[];
  };
  const isOwn = mark === undefined || ["alias", "own", "covers"].includes(mark);
  const link = isOwn ? {} : { link: mark };
  // Two CVEs covered by the same advisory are not names of the same vulnerability.
  if (mark === "covers") joined.covers = aliases;
  else if (isOwn) joined.aliases.push(...[record, ...aliases].filter((one) => !isCve(one)));
  joined.affected.push(...affected.map((one) => ({ record, ...link, ...one })));
  // Further ids of the record are listed once, on its own line.
  const named = {
    ...(isOwn && upstream !== undefined ? { upstream } : {}),
    ...(isOwn && related !== undefined ? { related } : {}),
  };
  joined.sources.push({ ...source, ...link, ...named, ...rest });
}

function addCsaf(joined: Joined, fact: SpooledFact, value: Json, source: Source): void {
  const { aliases, status, ...rest } = value as Json & { aliases: string[] };
  const { publisher, date } = rest;
  joined.vex.push({ record: fact.record, publisher, date, status });
  if (fact.piece !== undefined) return;
  // As with advisories: of several CVEs none is another name.
  if (fact.mark !== "several") joined.aliases.push(...aliases.filter((one) => !isCve(one)));
  joined.sources.push({ ...source, ...rest });
}

/** By the text, or the digest of a long one: a second copy of all packages needs the memory. */
function distinct(values: Json[]): Json[] {
  const keyed = values.map((one) => {
    const text = JSON.stringify(one);
    return [text.length < 1000 ? text : sha256(text), one] as const;
  });
  return [...new Map(keyed).values()];
}
