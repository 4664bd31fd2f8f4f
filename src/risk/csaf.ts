/**
 * Parses security advisories and VEX documents in CSAF, one JSON file each. For each vulnerability
 * the status of every product is kept, by the product's name from product_tree. Source: OASIS CSAF
 * 2.0 sections 3.2 and 4.
 */
import { isObject } from "../domain/json.ts";
import { canonical, isCve, isId } from "./ids.ts";
import type { Keep, ReadLimits } from "./json_reader.ts";
import type { Fact, Original, Sink } from "./provider.ts";
import { faultsOf, readRecord } from "./read.ts";
import { isRejection } from "./rejection.ts";
import {
  anything,
  type Check,
  checked,
  cve,
  fields,
  list,
  name,
  oneOf,
  text,
  time,
} from "./schema.ts";

/** The VEX of a kernel names some hundred thousand products. */
const limits: ReadLimits = { values: 1 << 22, characters: 64 * 1024 * 1024 };
/** Per fact; more products go into further pieces. */
const maxProducts = 500;

const statuses = [
  "first_affected",
  "first_fixed",
  "fixed",
  "known_affected",
  "known_not_affected",
  "last_affected",
  "recommended",
  "under_investigation",
  "unknown",
] as const;

/** The schema demands at least one product; an empty list does not invalidate the others. */
const statusLists = Object.fromEntries(statuses.map((name) => [name, list(text)]));

const head = fields({
  category: text,
  csaf_version: oneOf("2.0", "2.1"),
  publisher: fields({ category: text, name: text, namespace: text }),
  title: text,
  tracking: fields({
    id: name,
    current_release_date: time,
    initial_release_date: time,
    revision_history: list(fields({ date: time, number: text, summary: text }), 1),
    status: oneOf("draft", "final", "interim"),
    version: text,
  }),
});

/** Product names are in branches, full_product_names and relationships. */
const productTree: Check = checked({ fields: treeFields() }, (value, place, fault) => {
  if (!isObject(value)) fault(place, "is not an object");
});

function treeFields(): ReadonlyMap<string, Keep> {
  const scalars = (...names: string[]) =>
    new Map<string, Keep>(names.map((one) => [one, "scalar"]));
  const product: Keep = { fields: scalars("product_id", "name") };
  const branch = new Map<string, Keep>([["product", product]]);
  const branches: Keep = { items: { fields: branch } };
  branch.set("branches", branches);
  return new Map<string, Keep>([
    ["branches", branches],
    ["full_product_names", { items: product }],
    ["relationships", { items: { fields: new Map([["full_product_name", product]]) } }],
  ]);
}

const vulnerability: Check = fields({}, {
  cve,
  ids: list(fields({ system_name: text, text })),
  title: text,
  notes: list(fields({}, { text: anything })),
  product_status: fields({}, statusLists),
  flags: list(fields({ label: text }, { product_ids: list(text) })),
});

const document = fields({ document: head }, {
  product_tree: productTree,
  vulnerabilities: list(vulnerability, 1),
});

type Json = Record<string, unknown>;

export async function parseCsaf(file: Original, sink: Sink): Promise<void> {
  const value = await readRecord(file, sink, document, limits);
  if (value === undefined) return;
  const faults = faultsOf(document, value);
  if (faults.length === 0) faults.push(...vexFaults(value as Json));
  const ids = faults.length > 0 ? mentioned(value) : undefined;
  faults.forEach((fault) => sink.reject(file, fault, ids));
  if (faults.length === 0) tell(value as Json, file, sink);
}

/** CSAF 4.5: the VEX profile must state the status of products. */
function vexFaults(value: Json): string[] {
  if ((value["document"] as Json)["category"] !== "csaf_vex") return [];
  if (!Array.isArray(value["vulnerabilities"])) return ["vulnerabilities is missing"];
  return vulnerabilitiesOf(value).flatMap((one, i) =>
    isObject(one["product_status"]) ? [] : [`vulnerabilities[${i}].product_status is missing`]
  );
}

/** All ids that an invalid document names; undefined if it may name others. */
function mentioned(value: unknown): string[] | undefined {
  const found = isObject(value) ? value["vulnerabilities"] : undefined;
  if (!Array.isArray(found) || !found.every(isObject)) return undefined;
  const ids = found.map((one) => [one["cve"], ...bareIds(one).flatMap(({ names }) => names)]);
  if (ids.some((of) => of.every((id) => typeof id !== "string"))) return undefined;
  return [...new Set(ids.flat().filter((id) => typeof id === "string"))];
}

function tell(value: Json, file: Original, sink: Sink): void {
  const { tracking, publisher } = value["document"] as { tracking: Json; publisher: Json };
  const time = String(tracking["current_release_date"]);
  sink.recordDate(time);
  sink.advisory({
    identity: JSON.stringify([publisher["namespace"], tracking["id"]]),
    version: { time, number: String(tracking["version"]) },
    path: file.path,
    facts: factsOf(value),
  });
}

function factsOf(value: Json): Fact[] {
  const { tracking, publisher, title, category } = value["document"] as Json;
  const namespace = String((publisher as Json)["namespace"]);
  const record = String((tracking as Json)["id"]);
  const productNames = new Map<string, string>();
  collectNames(value["product_tree"], productNames);
  // The largest part of a document is no longer needed.
  delete value["product_tree"];
  const common = {
    category,
    title,
    publisher: (publisher as Json)["name"],
    date: (tracking as Json)["current_release_date"],
  };
  return vulnerabilitiesOf(value).flatMap((one) => {
    const bare = bareIds(one, namespace);
    const own = typeof one["cve"] === "string" ? [canonical(one["cve"])] : [];
    // Without any id it is found by the document's id, which is unique only together with its
    // publisher.
    const key = own[0] ?? bare[0]?.names[0] ?? `${namespace} ${record}`;
    const names = bare.length === 0 && own.length === 0 ? [record] : bare.flatMap((id) => id.names);
    const aliases = [...new Set(names)].filter((id) => isId(id) && id !== key);
    const rejected = isRejected(one) ? { rejected: true } : {};
    const ids = [...own, ...bare.map((id) => id.link)];
    return pieces(statusOf(one, productNames)).map((status, piece): Fact => ({
      key,
      ids,
      record,
      value: { aliases, ...common, ...rejected, status },
      ...(piece === 0 ? {} : { piece }),
    }));
  });
}

function vulnerabilitiesOf(value: Json): Json[] {
  return (value["vulnerabilities"] ?? []) as Json[];
}

interface BareId {
  /** The ids under which it is shown and queried; the first one is the full name. */
  names: string[];
  /** Equal for two ids with the same meaning. */
  link: string;
}

/**
 * Ids of other systems. Two systems may use the same number, so a number counts with its system,
 * and with the publisher, who may call any system `Bugzilla`; an id that only one system can assign
 * (VU#123456, GHSA-...) counts by itself or with its system.
 */
function bareIds(one: Json, namespace = ""): BareId[] {
  const found = Array.isArray(one["ids"]) ? one["ids"].filter(isObject) : [];
  return found.map(({ system_name: system, text }): BareId => {
    const bare = canonical(String(text).trim());
    if (isCve(bare) || /^GHSA-/i.test(bare)) return { names: [bare], link: bare };
    const whole = `${String(system).trim()} ${bare}`;
    if (isId(bare)) return { names: [whole, bare], link: whole };
    return { names: [whole], link: `${namespace} ${whole}` };
  });
}

function isRejected(one: Json): boolean {
  const notes = (one["notes"] ?? []) as Json[];
  return isRejection(one["title"]) || notes.some((note) => isRejection(note["text"]));
}

/** By status: the products by name if the document has one, sorted and unique. */
function statusOf(one: Json, names: ReadonlyMap<string, string>): [string, string[]][] {
  const given = (one["product_status"] ?? {}) as Record<string, string[] | null>;
  const shared = sharedNames(statuses.map((name) => given[name] ?? null), names);
  return statuses.flatMap((name): [string, string[]][] => {
    const ids = given[name] ?? undefined;
    if (ids === undefined) return [];
    const products = ids.map((product) => {
      const text = names.get(product) ?? product;
      return shared.has(text) ? `${text} (${product})` : text;
    });
    return [[name, [...new Set(products)].sort()]];
  });
}

/**
 * Product names with more than one status that several products share: by name alone they would
 * seem to have both.
 */
function sharedNames(
  lists: readonly (readonly string[] | null)[],
  names: ReadonlyMap<string, string>,
): Set<string> {
  const shared = new Set<string>();
  // Most documents have few products in all lists but one.
  const [longest = [], ...others] = lists.map((one) => one ?? []).sort((a, b) =>
    b.length - a.length
  );
  const idOf = new Map<string, string>();
  for (const product of others.flat()) {
    const name = names.get(product);
    if (name === undefined) continue;
    if ((idOf.get(name) ?? product) !== product) shared.add(name);
    idOf.set(name, product);
  }
  for (const product of longest) {
    const name = names.get(product) ?? "";
    if ((idOf.get(name) ?? product) !== product) shared.add(name);
  }
  return shared;
}

/** Splits the products into as many objects as lines of limited length need; usually one. */
function pieces(all: readonly [string, string[]][]): Record<string, string[]>[] {
  const found: Record<string, string[]>[] = [{}];
  let room = maxProducts;
  for (const [name, products] of all) {
    for (let at = 0; at < products.length;) {
      if (room === 0) {
        found.push({});
        room = maxProducts;
      }
      const part = products.slice(at, at + room);
      (found.at(-1) ?? {})[name] = part;
      at += part.length;
      room -= part.length;
    }
  }
  return found;
}

/** Every `{product_id, name}` in the tree, whose depth the reader limits. */
function collectNames(value: unknown, names: Map<string, string>): void {
  if (typeof value !== "object" || value === null) return;
  if (isObject(value)) {
    const { product_id: product, name } = value;
    if (typeof product === "string" && typeof name === "string") names.set(product, name);
  }
  for (const one of Object.values(value)) collectNames(one, names);
}
