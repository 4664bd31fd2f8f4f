/**
 * The join: facts sorted by id become one line for each id, in which all providers have their say. The line's form is the contract
 * with those who read it with jq; it is in the README.
 */
import { startSha256 } from "../domain/hash.ts";
import { isCve } from "./ids.ts";
import type { Link, ProviderKind } from "./provider.ts";

/**
 * Why a fact stands under its key: by a link to a CVE, or under its own id, which leads to no CVE
 * or covers several.
 */
export type Mark = Link | "own" | "covers";

/**
 * One fact on its way through the spool; the text form sorts by key, provider, record and order.
 */
export interface SpooledFact {
  key: string;
  /** Position of the provider in the configuration. */
  provider: number;
  record: string;
  /** Among facts of one record under one key. */
  order: string;
  /** Without one it is a row. */
  mark?: Mark;
  /** Above 0 it carries on the fact before it. */
  piece?: number;
  /** Where it stands in its provider. */
  path: string;
  line?: number;
  value: unknown;
}

/** A line of joined.ndjson, in this order. */
export interface Joined {
  /** A CVE id, or the own id of a record that leads to none or covers several. */
  id: string;
  /** Other ids of the same thing. */
  aliases: string[];
  /** Ids that the record names as its aliases, where they are of several CVEs. */
  covers?: string[];
  kev: unknown;
  epss: unknown;
  /** Packages, each with the record that says so. */
  affected: unknown[];
  /** Status of products, each with the document that says so. */
  vex: unknown[];
  sources: { provider: string; record: string }[];
}

/** Ids and names hold no tab: a tab sorts before all that they hold, so `a` stands before `a-b`. */
export function encodeFact(fact: SpooledFact): string {
  const { key, provider, record, order, mark, piece, path, line, value } = fact;
  const about = JSON.stringify([mark ?? "", piece ?? 0, path, line ?? 0]);
  const head = [key, String(provider).padStart(3, "0"), record, order, about];
  return [...head, JSON.stringify(value)].join("\t");
}

export function decodeFact(text: string): SpooledFact {
  const [key = "", provider = "", record = "", order = "", about = "", ...value] = text.split("\t");
  const [mark, piece, path, line] = JSON.parse(about) as [Mark | "", number, string, number];
  const fact: SpooledFact = {
    key,
    provider: Number(provider),
    record,
    order,
    path,
    value: JSON.parse(value.join("\t")),
  };
  if (mark !== "") fact.mark = mark;
  if (piece !== 0) fact.piece = piece;
  if (line !== 0) fact.line = line;
  return fact;
}

type NamedProvider = { kind: ProviderKind; name: string };
type Json = Record<string, unknown>;

/** All facts about one id, of which at most one is by each record. */
export function joinFacts(
  facts: readonly SpooledFact[],
  providers: readonly NamedProvider[],
): Joined {
  const id = facts[0]!.key;
  const joined: Joined = {
    id,
    aliases: [],
    kev: null,
    epss: null,
    affected: [],
    vex: [],
    sources: [],
  };
  for (const fact of facts) add(joined, fact, providers[fact.provider]!);
  joined.aliases = [...new Set(joined.aliases)].filter((one) => one !== id).sort();
  joined.affected = distinct(joined.affected);
  if (joined.covers === undefined) return joined;
  // Beside the other ids, which is where a reader looks for it.
  const { id: _, aliases, covers, ...rest } = joined;
  return { id, aliases, covers: [...new Set(covers)].sort(), ...rest };
}

function add(joined: Joined, fact: SpooledFact, provider: NamedProvider): void {
  const value = fact.value as Json;
  const source = { provider: provider.name, record: fact.record };
  if (provider.kind === "kev") joined.kev ??= value;
  if (provider.kind === "epss") joined.epss ??= value;
  if (provider.kind === "osv") addOsv(joined, fact, value, source);
  else if (provider.kind === "csaf") addCsaf(joined, fact, value, source);
  else joined.sources.push(source);
}

type Source = Joined["sources"][number];

function addOsv(joined: Joined, { mark, record }: SpooledFact, value: Json, source: Source): void {
  const { aliases, upstream, related, affected = [], ...rest } = value as {
    aliases: string[];
    upstream?: string[];
    related?: string[];
    affected?: Json[];
  };
  const link = mark === "several" || mark === "upstream" || mark === "related"
    ? { link: mark }
    : {};
  // Two CVEs that one advisory covers are not names of the same thing.
  if (mark === "covers") joined.covers = aliases;
  else if (link.link === undefined) {
    joined.aliases.push(...[record, ...aliases].filter((one) => !isCve(one)));
  }
  joined.affected.push(...affected.map((one) => ({ record, ...link, ...one })));
  // What else the record names is said once, on the line that is its own.
  const named = link.link !== undefined ? {} : {
    ...(upstream === undefined ? {} : { upstream }),
    ...(related === undefined ? {} : { related }),
  };
  joined.sources.push({ ...source, ...link, ...named, ...rest });
}

function addCsaf(joined: Joined, fact: SpooledFact, value: Json, source: Source): void {
  const { aliases, status, ...rest } = value as Json & { aliases: string[] };
  const { publisher, date } = rest;
  joined.vex.push({ record: fact.record, publisher, date, status });
  if (fact.piece !== undefined) return;
  // As with advisories: of several CVEs none is another name, and nothing else is known to be one.
  if (fact.mark !== "several") {
    joined.aliases.push(...aliases.filter((one) => !isCve(one)));
  }
  joined.sources.push({ ...source, ...rest });
}

function distinct(values: unknown[]): unknown[] {
  return [...new Map(values.map((one) => [keyOfValue(one), one])).values()];
}

/**
 * Its text, or the digest of a long one: a second copy of all packages would take as much memory as
 * they do.
 */
function keyOfValue(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length < 1000 ? text : startSha256().update(text).digest("hex");
}
