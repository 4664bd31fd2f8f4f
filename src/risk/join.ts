/**
 * The join: facts sorted by id become one line for each id, in which all providers have their say. The line's form is the contract
 * with those who read it with jq; it is in the README.
 */
import type { ProviderKind } from "./provider.ts";
import { isCve } from "./schema.ts";

/** One fact on its way through the spool; the text form sorts by key, provider and record. */
export interface SpooledFact {
  key: string;
  /** Position of the provider in the configuration. */
  provider: number;
  record: string;
  path: string;
  line?: number;
  value: unknown;
}

/** A line of joined.ndjson, in this order. */
export interface Joined {
  /** A CVE id, or the own id of a record that leads to none. */
  id: string;
  /** Other ids of the same thing. */
  aliases: string[];
  kev: unknown;
  epss: unknown;
  /** Packages, each with the record that says so. */
  affected: unknown[];
  /** Status of products, each with the document that says so. */
  vex: unknown[];
  sources: { provider: string; record: string }[];
}

/** Ids and paths hold no tab: a tab sorts before all that they hold, so `a` stands before `a-b`. */
export function encodeFact(fact: SpooledFact): string {
  const { key, provider, record, path, line, value } = fact;
  const place = JSON.stringify([path, line ?? 0]);
  return [key, String(provider).padStart(3, "0"), record, place, JSON.stringify(value)].join("\t");
}

export function decodeFact(text: string): SpooledFact {
  const [key = "", provider = "", record = "", place = "", ...value] = text.split("\t");
  const [path, line] = JSON.parse(place) as [string, number];
  return {
    key,
    provider: Number(provider),
    record,
    path,
    ...(line === 0 ? {} : { line }),
    value: JSON.parse(value.join("\t")),
  };
}

/** All facts about one id, of which at most one is by each record. */
export function joinFacts(
  facts: readonly SpooledFact[],
  providers: readonly { kind: ProviderKind; name: string }[],
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
  return joined;
}

function add(joined: Joined, fact: SpooledFact, provider: { kind: ProviderKind; name: string }) {
  const { record } = fact;
  const value = fact.value as Record<string, unknown>;
  const source = { provider: provider.name, record };
  if (provider.kind === "kev") joined.kev ??= value;
  if (provider.kind === "epss") joined.epss ??= value;
  if (provider.kind === "osv") {
    const { aliases, affected = [], ...rest } = value as {
      aliases: string[];
      affected?: Record<string, unknown>[];
    };
    // Two CVEs that one advisory covers are not names of the same thing.
    joined.aliases.push(...[record, ...aliases].filter((one) => !isCve(one)));
    joined.affected.push(...affected.map((one) => ({ record, ...one })));
    joined.sources.push({ ...source, ...rest });
  } else if (provider.kind === "csaf") {
    const { status, ...rest } = value;
    joined.vex.push({ record, status });
    joined.sources.push({ ...source, ...rest });
  } else joined.sources.push(source);
}

function distinct(values: unknown[]): unknown[] {
  return [...new Map(values.map((one) => [JSON.stringify(one), one])).values()];
}
