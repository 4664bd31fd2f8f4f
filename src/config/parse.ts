/** YAML 1.2 through the schema: every fault with the line it stands on and its path in the file. */
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "yaml";
import type { z } from "zod";
import { type Finding, messageOf, StellaError } from "../errors.ts";
import {
  configSchema,
  crossFaults,
  type Fault,
  type NameChecks,
  type ParsedConfig,
} from "./schema.ts";

type Issue = z.core.$ZodIssue;

/** @throws StellaError usage with one finding per fault */
export function parseConfig(path: string, text: string, checks: NameChecks): ParsedConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.2",
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw refuse(path, broken.map((e) => finding(path, lines.linePos(e.pos[0]).line, e.message)));
  }
  const value = valueOf(path, document);
  const result = configSchema(checks).safeParse(value, { reportInput: true });
  const faults = [
    ...(result.error?.issues.flatMap(spread) ?? []),
    ...crossFaults(value),
    ...dropped(document),
  ];
  if (result.success && faults.length === 0) return result.data;
  const findings = faults.map(({ place, text }) =>
    finding(path, lineOf(document, lines, place), `${dotted(place)}: ${text}`)
  );
  throw refuse(path, findings.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)));
}

/** The document as plain values. What an alias stands for is limited by the parser: a few lines could name gigabytes. */
function valueOf(path: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw refuse(path, [finding(path, 1, messageOf(error))]);
  }
}

/** zod drops the key `__proto__` of a record without calling it unknown; in other maps it has told already. */
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

/** One fault for each thing to mend: zod tells all unknown keys of an object in one issue. */
function spread(issue: Issue): Fault[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ place: [...issue.path, key], text: "is not a known key" }));
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

/** The line of the key or item that `place` names, or of the nearest thing around it that is there. */
function lineOf(document: Document, lines: LineCounter, place: PropertyKey[]): number {
  for (let depth = place.length; depth > 0; depth--) {
    const at = nodeAt(document, place.slice(0, depth));
    if (at?.range) return lines.linePos(at.range[0]).line;
  }
  return 1;
}

/** The key's node in a map, since its value may stand lines below; the item's node in a list. */
function nodeAt(document: Document, place: PropertyKey[]): Node | undefined {
  const last = place.at(-1);
  const parent = place.length === 1 ? document.contents : document.getIn(place.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isNode(item.key) && item.key.toJSON() === last);
    return pair?.key as Node | undefined;
  }
  const item = document.getIn(place, true);
  return isNode(item) ? item : undefined;
}

function dotted(place: PropertyKey[]): string {
  const text = place.map((part) => typeof part === "number" ? `[${part}]` : `.${shownKey(part)}`);
  return text.join("").replace(/^\./, "") || "the file";
}

/** The file is the operator's, but a terminal is not the place to find out what else is in it. */
function shownKey(key: PropertyKey): string {
  const text = String(key);
  return /^[\w.-]{1,64}$/.test(text) ? text : JSON.stringify(text.slice(0, 64));
}

function finding(path: string, line: number, found: string): Finding {
  return { code: "usage", reason: "configuration_invalid", path, line, found };
}

function refuse(path: string, findings: Finding[]): StellaError {
  const count = findings.length === 1 ? "1 fault" : `${findings.length} faults`;
  return new StellaError(
    "usage",
    `Cannot use the configuration ${JSON.stringify(path)}: ${count}`,
    {
      hint: "mend the lines named below",
      findings,
    },
  );
}
