/**
 * Security advisories and VEX documents in CSAF, one JSON file each. Of each vulnerability the status of every product is kept, by
 * the product's name, which product_tree tells. Source: OASIS CSAF 2.0 sections 3.2 and 4.
 */
import type { Original, Sink } from "./provider.ts";
import { readJson } from "./read.ts";
import { type Check, cve, fields, id, isId, isObject, list, oneOf, text, time } from "./schema.ts";

const statuses = [
  "first_affected",
  "first_fixed",
  "fixed",
  "known_affected",
  "known_not_affected",
  "last_affected",
  "recommended",
  "under_investigation",
] as const;

const statusLists = Object.fromEntries(statuses.map((name) => [name, list(text, 1)]));

const head = fields({
  category: text,
  csaf_version: oneOf("2.0", "2.1"),
  publisher: fields({ category: text, name: text, namespace: text }),
  title: text,
  tracking: fields({
    id,
    current_release_date: time,
    initial_release_date: time,
    revision_history: list(fields({ date: time, number: text, summary: text }), 1),
    status: oneOf("draft", "final", "interim"),
    version: text,
  }),
});

const vulnerability: Check = fields({}, {
  cve,
  ids: list(fields({ system_name: text, text })),
  title: text,
  product_status: fields({}, statusLists),
  flags: list(fields({ label: text }, { product_ids: list(text, 1) })),
});

const document = fields({ document: head }, {
  product_tree: fields({}),
  vulnerabilities: list(vulnerability, 1),
});

type Json = Record<string, unknown>;

export function parseCsaf(file: Original, sink: Sink): void {
  const value = readJson(file, sink);
  if (value === undefined) return;
  let bad = false;
  const fault = (place: string, reason: string) => {
    bad = true;
    sink.bad(file.path, `${place || "the file"} ${reason}`);
  };
  document(value, "", fault);
  if (!bad) checkVex(value as Json, fault);
  if (!bad) facts(value as Json, file, sink, fault);
}

/** CSAF 4.5: the VEX profile says the status of products, or is of no use. */
function checkVex(value: Json, fault: (place: string, reason: string) => void): void {
  if ((value["document"] as Json)["category"] !== "csaf_vex") return;
  if (value["vulnerabilities"] === undefined) fault("vulnerabilities", "is missing");
  for (const [i, one] of vulnerabilitiesOf(value).entries()) {
    if (one["product_status"] === undefined) {
      fault(`vulnerabilities[${i}].product_status`, "is missing");
    }
  }
}

function facts(
  value: Json,
  file: Original,
  sink: Sink,
  fault: (place: string, reason: string) => void,
): void {
  const { tracking, publisher, title, category } = value["document"] as Json;
  const record = String((tracking as Json)["id"]);
  const names = new Map<string, string>();
  collectNames(value["product_tree"], names);
  sink.dated(String((tracking as Json)["current_release_date"]));
  for (const [i, one] of vulnerabilitiesOf(value).entries()) {
    const ids = idsOf(one);
    if (ids.length === 0) fault(`vulnerabilities[${i}]`, "has neither a cve nor ids");
    else {
      const document = { category, title, publisher: (publisher as Json)["name"] };
      const status = statusOf(one, names);
      sink.fact({ ids, record, path: file.path, value: { ...document, status } });
    }
  }
}

function vulnerabilitiesOf(value: Json): Json[] {
  return (value["vulnerabilities"] ?? []) as Json[];
}

/** The CVE, else what other systems call it; of those that cannot be a key, none. */
function idsOf(one: Json): string[] {
  const others = ((one["ids"] ?? []) as Json[]).map((id) => id["text"]).filter(isId);
  return [...(typeof one["cve"] === "string" ? [one["cve"]] : []), ...others];
}

/** By status: the products, by name where the document names them, sorted, each once. */
function statusOf(one: Json, names: ReadonlyMap<string, string>): Record<string, string[]> {
  const given = (one["product_status"] ?? {}) as Record<string, string[]>;
  const known = statuses.filter((name) => given[name] !== undefined);
  return Object.fromEntries(
    known.map((name) => {
      const products = given[name]!.map((product) => names.get(product) ?? product);
      return [name, [...new Set(products)].sort()];
    }),
  );
}

/** Every `{product_id, name}` in the tree: in branches, full_product_names and relationships alike. */
function collectNames(value: unknown, names: Map<string, string>, depth = 0): void {
  if (depth > 64 || typeof value !== "object" || value === null) return;
  if (isObject(value)) {
    const { product_id: product, name } = value;
    if (typeof product === "string" && typeof name === "string") names.set(product, name);
  }
  for (const one of Object.values(value)) collectNames(one, names, depth + 1);
}
