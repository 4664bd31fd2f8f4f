/** Parses YAML 1.2 and checks it with the schema: every fault with its line and key. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import type { z } from "zod";
import { type Finding, finding, messageOf, StellaError } from "../domain/errors.ts";
import { configSchema, crossFaults, type ParsedConfig } from "./schema.ts";
import type { Fault } from "./target_tenants.ts";
import { renamedKeys } from "./service_schema.ts";

type Issue = z.core.$ZodIssue;

export function parseConfig(path: string, text: string): ParsedConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    // Its own search for duplicate keys compares all pairs; `repeated` does not.
    uniqueKeys: false,
  });
  const broken = [...document.errors, ...document.warnings]
    .map((e) => fault(path, lines.linePos(e.pos[0]).line, e.message));
  const twice = repeated(document).map((key) =>
    fault(path, lines.linePos(key.range?.[0] ?? 0).line, "Map keys must be unique")
  );
  if (broken.length + twice.length > 0) throw refuse(path, [...broken, ...twice].sort(byLine));
  const value = valueOf(path, document);
  const result = configSchema.safeParse(value, { reportInput: true });
  const faults = [
    ...(result.error?.issues.flatMap(spread) ?? []),
    ...crossFaults(value),
    ...dropped(document),
  ];
  if (result.success && faults.length === 0) return result.data;
  const finder = new LineFinder(document, lines);
  const findings = faults.map(({ place, text }) =>
    fault(path, finder.lineOf(place), `${dotted(place)}: ${text}`)
  );
  throw refuse(path, findings.sort(byLine));
}

const byLine = (a: Finding, b: Finding) => (a.line ?? 0) - (b.line ?? 0);

function valueOf(path: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases expand too far: a few lines could expand to gigabytes.
    throw refuse(path, [fault(path, 1, messageOf(error))]);
  }
}

function repeated(document: Document): Scalar[] {
  const found: Scalar[] = [];
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) found.push(key);
        seen.add(key.value);
      }
    },
  });
  return found;
}

/** zod silently drops the key `__proto__` of a record; in other maps it reports it. */
function dropped(document: Document): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Pair: (_, pair, ancestors) => {
      if (!isScalar(pair.key) || pair.key.value !== "__proto__") return;
      const place = ancestors.filter(isPair).map((one) => String(one.key));
      if (place.length !== 1) return;
      faults.push({ place: [...place, "__proto__"], text: "cannot be a name" });
    },
  });
  return faults;
}

/** One fault for each thing to fix: zod reports all unknown keys of an object in one issue. */
function spread(issue: Issue): Fault[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const place = [...issue.path, key];
      const name = renamedKeys[place.join(".")];
      return { place, text: name === undefined ? "is not a known key" : `is now called ${name}` };
    });
  }
  if (issue.code === "invalid_key") {
    return [{ place: issue.path, text: issue.issues[0]?.message ?? issue.message }];
  }
  return [{ place: issue.path, text: wording(issue) }];
}

const kinds: Record<string, string> = {
  array: "a list",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  string: "a text",
};

function wording(issue: Issue): string {
  if (issue.code !== "invalid_type") return issue.message;
  const kind = kinds[issue.expected] ?? issue.expected;
  return issue.input === undefined ? `is missing: ${kind} goes here` : `must be ${kind}`;
}

/** Finds the line of a key or item, or of the nearest existing ancestor. */
class LineFinder {
  readonly #pairs = new Map<Node, ReadonlyMap<unknown, Pair>>();

  constructor(readonly document: Document, readonly lines: LineCounter) {}

  lineOf(place: readonly PropertyKey[]): number {
    let node: unknown = this.document.contents;
    let line = 1;
    for (const part of place) {
      const { key, value } = this.#below(node, part);
      // The line of the key in a map, because its value may be further down; of the item in a list.
      const at = isNode(key) ? key : isNode(value) ? value : undefined;
      if (at === undefined) break;
      if (at.range) line = this.lines.linePos(at.range[0]).line;
      node = value;
    }
    return line;
  }

  #below(node: unknown, part: PropertyKey): { key?: unknown; value?: unknown } {
    const within = isAlias(node) ? node.resolve(this.document) : node;
    if (isSeq(within)) return { value: within.items[Number(part)] };
    return isMap(within) ? this.#pairsOf(within).get(part) ?? {} : {};
  }

  /** Built once per map: a file may have as many faults as keys. */
  #pairsOf(map: YAMLMap): ReadonlyMap<unknown, Pair> {
    return this.#pairs.getOrInsertComputed(
      map,
      () =>
        new Map(map.items.map((pair) => [isScalar(pair.key) ? pair.key.value : undefined, pair])),
    );
  }
}

function dotted(place: PropertyKey[]): string {
  const text = place.map((part) => typeof part === "number" ? `[${part}]` : `.${shownKey(part)}`);
  return text.join("").replace(/^\./, "") || "the file";
}

/** The file is the operator's, but its content should not appear unfiltered on a terminal. */
function shownKey(key: PropertyKey): string {
  const text = String(key);
  return /^[\w.-]{1,64}$/.test(text) ? text : JSON.stringify(text.slice(0, 64));
}

function fault(path: string, line: number, found: string): Finding {
  return finding("configuration_invalid", { path, line, found });
}

function refuse(path: string, findings: Finding[]): StellaError {
  const count = findings.length === 1 ? "1 fault" : `${findings.length} faults`;
  const what = `Cannot use the configuration ${JSON.stringify(path)}: ${count}`;
  return new StellaError("configuration_invalid", what, { hint: "fix the lines above", findings });
}
