/**
 * Parses security advisories and VEX documents in CSAF, one JSON file each. For each vulnerability
 * the status of every product is kept, by the product's name from product_tree. Source: OASIS CSAF
 * 2.0 sections 3.2 and 4.
 */
import { isObject } from "../domain/json.ts";
import { canonical, isCve, isId } from "./ids.ts";
import type { Keep } from "./json_reader.ts";
import type { Fact, Original, Sink } from "./provider.ts";
import { readRecord } from "./read.ts";
import { isRejection } from "./rejection.ts";
import {
  anything,
  checked,
  cve,
  fields,
  list,
  name,
  oneOf,
  text,
  time,
  type Valid,
} from "./schema.ts";

/** The VEX of a kernel names some hundred thousand products. */
const limits = { values: 1 << 22, characters: 64 * 1024 * 1024 };
/** Per fact; more products go into further pieces. */
const maxProducts = 500;

/** The schema demands at least one product; an empty list does not invalidate the others. */
const products = list(text);
const productStatus = fields({}, {
  first_affected: products,
  first_fixed: products,
  fixed: products,
  known_affected: products,
  known_not_affected: products,
  last_affected: products,
  recommended: products,
  under_investigation: products,
  unknown: products,
});

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
const productTree = checked({ fields: treeFields() }, (value, place, fault) => {
  if (!isObject(value)) fault(place, "is not an object");
});

function treeFields(): ReadonlyMap<string, Keep> {
  const product: Keep = { fields: new Map([["product_id", "scalar"], ["name", "scalar"]]) };
  const branch = new Map<string, Keep>([["product", product]]);
  const branches: Keep = { items: { fields: branch } };
  branch.set("branches", branches);
  return new Map<string, Keep>([
    ["branches", branches],
    ["full_product_names", { items: product }],
    ["relationships", { items: { fields: new Map([["full_product_name", product]]) } }],
  ]);
}

const vulnerability = fields({}, {
  cve,
  ids: list(fields({ system_name: text, text })),
  title: text,
  notes: list(fields({}, { text: anything })),
  product_status: productStatus,
  flags: list(fields({ label: text }, { product_ids: list(text) })),
});

const advisory = fields({ document: head }, {
  product_tree: productTree,
  vulnerabilities: list(vulnerability, 1),
});

type Vulnerability = Valid<typeof vulnerability>;
type Advisory = Valid<typeof advisory>;

/** CSAF 4.5: the VEX profile must state the status of products. */
const document = checked<Advisory>(advisory.keep, (value, place, fault) => {
  let isRight = true;
  advisory(value, place, (...found) => {
    isRight = false;
    fault(...found);
  });
  if (!isRight) return;
  const { document: { category }, vulnerabilities } = value as Advisory;
  if (category !== "csaf_vex") return;
  if (!vulnerabilities) return fault("vulnerabilities", "is missing");
  vulnerabilities.forEach((one, i) => {
    if (!one.product_status) fault(`vulnerabilities[${i}].product_status`, "is missing");
  });
});

export async function parseCsaf(file: Original, sink: Sink): Promise<void> {
  const value = await readRecord(file, sink, document, { limits, idsOf: mentioned });
  if (value === undefined) return;
  const { tracking, publisher } = value.document;
  const time = tracking.current_release_date;
  sink.recordDate(time);
  sink.advisory({
    identity: JSON.stringify([publisher.namespace, tracking.id]),
    version: { time, number: tracking.version },
    path: file.path,
    facts: factsOf(value),
  });
}

/** All ids that an invalid document names; undefined if it may name others. */
function mentioned(value: unknown): string[] | undefined {
  const found = isObject(value) ? value["vulnerabilities"] : undefined;
  if (!Array.isArray(found) || !found.every(isObject)) return undefined;
  const ids = found.map(({ cve, ids }) => {
    const others = Array.isArray(ids) ? ids.filter(isObject) : [];
    return [cve, ...others.flatMap((one) => bareId(one).names)];
  });
  if (ids.some((of) => of.every((id) => typeof id !== "string"))) return undefined;
  return [...new Set(ids.flat().filter((id) => typeof id === "string"))];
}

function factsOf(value: Advisory): Fact[] {
  const { tracking, publisher, title, category } = value.document;
  const { id: record, current_release_date: date } = tracking;
  const productNames = new Map<string, string>();
  collectNames(value.product_tree, productNames);
  // The largest part of a document is no longer needed.
  delete value.product_tree;
  const common = { category, title, publisher: publisher.name, date };
  return (value.vulnerabilities ?? []).flatMap((one) => {
    const bare = (one.ids ?? []).map((id) => bareId(id, publisher.namespace));
    const own = one.cve ? [canonical(one.cve)] : [];
    // Without any id it is found by the document's id, which is unique only together with its
    // publisher.
    const key = own[0] ?? bare[0]?.names[0] ?? `${publisher.namespace} ${record}`;
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

interface BareId {
  /** The ids under which it is shown and queried; the first one is the full name. */
  names: string[];
  /** Equal for two ids with the same meaning. */
  link: string;
}

/**
 * An id of another system. Two systems may use the same number, so a number counts with its system,
 * and with the publisher, who may call any system `Bugzilla`; an id that only one system can assign
 * (VU#123456, GHSA-...) counts by itself or with its system.
 */
function bareId({ system_name: system, text }: Record<string, unknown>, namespace = ""): BareId {
  const bare = canonical(String(text).trim());
  if (isCve(bare) || /^GHSA-/i.test(bare)) return { names: [bare], link: bare };
  const whole = `${String(system).trim()} ${bare}`;
  if (isId(bare)) return { names: [whole, bare], link: whole };
  return { names: [whole], link: `${namespace} ${whole}` };
}

function isRejected({ title, notes }: Vulnerability): boolean {
  return isRejection(title) || (notes ?? []).some(({ text }) => isRejection(text));
}

/** By status: the products by name if the document has one, sorted and unique. */
function statusOf(
  { product_status: status }: Vulnerability,
  names: ReadonlyMap<string, string>,
): [string, string[]][] {
  const lists = Object.entries(status ?? {}).filter((entry): entry is [string, string[]] =>
    entry[1] !== null
  ).sort(([a], [b]) => a < b ? -1 : 1);
  const shared = sharedNames(lists.map(([, ids]) => ids), names);
  return lists.map(([name, ids]) => {
    const products = ids.map((product) => {
      const text = names.get(product) ?? product;
      return shared.has(text) ? `${text} (${product})` : text;
    });
    return [name, [...new Set(products)].sort()];
  });
}

/** Names of several products with more than one status: by name they would seem to have both. */
function sharedNames(
  lists: readonly (readonly string[])[],
  names: ReadonlyMap<string, string>,
): Set<string> {
  const shared = new Set<string>();
  // Most documents have few products in all lists but one.
  const [longest = [], ...others] = lists.toSorted((a, b) => b.length - a.length);
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
  let left = maxProducts;
  for (const [name, products] of all) {
    for (let at = 0; at < products.length;) {
      if (left === 0) {
        found.push({});
        left = maxProducts;
      }
      const part = products.slice(at, at + left);
      (found.at(-1) ?? {})[name] = part;
      at += part.length;
      left -= part.length;
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
