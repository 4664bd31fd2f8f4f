/**
 * Parses advisories in the OSV format, one JSON or YAML file each. Source: OSV schema 1.7
 * (ossf.github.io/osv-schema). Packages, ranges and versions are kept unchanged; data for an
 * ecosystem's own tools stays in the original.
 */
import { isObject } from "../domain/json.ts";
import { canonical, derivedFrom, isId } from "./ids.ts";
import type { Original, Sink } from "./provider.ts";
import { faultsOf, readRecord } from "./read.ts";
import { isRejection } from "./rejection.ts";
import { anything, checked, fields, id, list, oneOf, type OnFault, text, time } from "./schema.ts";

const marks = ["introduced", "fixed", "last_affected", "limit"];

const event = checked(
  { fields: new Map(marks.map((mark) => [mark, "scalar"])) },
  (value, place, fault: OnFault) => {
    if (!isObject(value)) return fault(place, "is not an object");
    const found = Object.keys(value).filter((name) => marks.includes(name));
    if (found.length !== 1) return fault(place, `must have exactly one of ${marks.join(", ")}`);
    text(value[found[0]!], `${place}.${found[0]}`, fault);
  },
);

const affected = fields({}, {
  package: fields({ ecosystem: text, name: text }, { purl: text }),
  ranges: list(
    fields({ type: oneOf("SEMVER", "ECOSYSTEM", "GIT"), events: list(event, 1) }, { repo: text }),
  ),
  versions: list(text),
});

/** Lists of other ids. */
const idLists = ["aliases", "upstream", "related"] as const;

const advisory = fields({ id, modified: time }, {
  schema_version: text,
  published: time,
  withdrawn: time,
  ...Object.fromEntries(idLists.map((name) => [name, list(anything)])),
  summary: text,
  details: anything,
  severity: list(fields({ type: text, score: text })),
  affected: list(affected),
});

type Json = Record<string, unknown>;

export async function parseOsv(file: Original, sink: Sink): Promise<void> {
  const value = await readRecord(file, sink, advisory);
  if (value === undefined) return;
  const faults = faultsOf(advisory, value);
  const ids = mentioned(value);
  faults.forEach((fault) => sink.reject(file, fault, ids));
  if (faults.length > 0 || !isObject(value)) return;
  sink.recordDate(String(value["modified"]));
  // Some databases (Go's in 2022) state 0001 as every modification time.
  if (isPresent(value["published"])) sink.recordDate(String(value["published"]));
  const own = canonical(String(value["id"]));
  const [aliases = [], upstream = [], related = []] = idLists.map((name) =>
    idsOf(value, name, own, file, sink)
  );
  const derived = derivedFrom(own);
  sink.advisory({
    identity: own,
    version: { time: String(value["modified"]) },
    path: file.path,
    facts: [{
      key: own,
      ids: [own, ...aliases],
      upstream: derived === undefined ? upstream : [derived, ...upstream],
      related,
      record: own,
      value: factOf(value, { aliases, upstream, related }),
    }],
  });
}

/** All ids that an invalid record names; undefined if it may name others. */
function mentioned(value: unknown): string[] | undefined {
  if (!isObject(value) || !isId(value["id"])) return undefined;
  const lists = idLists.map((name) => value[name] ?? []);
  if (!lists.every(Array.isArray)) return undefined;
  return [value["id"], ...lists.flat()].filter((one) => typeof one === "string").map(canonical);
}

/** The ids in one of the lists; invalid ones are left out and reported. */
function idsOf(
  value: Json,
  name: typeof idLists[number],
  own: string,
  file: Original,
  sink: Sink,
): string[] {
  const found: string[] = [];
  for (const [i, one] of ((value[name] ?? []) as unknown[]).entries()) {
    const id = typeof one === "string" ? one.trim() : one;
    if (isId(id)) found.push(canonical(id));
    else {
      const shown = JSON.stringify(one) ?? "";
      sink.rejectId(file, `${name}[${i}] is not an id: ${shown.slice(0, 200)}`, [own, String(one)]);
    }
  }
  return found;
}

interface Named {
  aliases: string[];
  upstream: string[];
  related: string[];
}

function factOf(value: Json, { aliases, upstream, related }: Named): unknown {
  const { summary, details, severity, withdrawn } = value;
  const modified = String(value["modified"]);
  const packages = (value["affected"] ?? []) as Json[];
  return {
    aliases,
    ...(upstream.length === 0 ? {} : { upstream }),
    ...(related.length === 0 ? {} : { related }),
    // A year such as 0001 means that the date was not filled in.
    ...(modified < "1980" ? {} : { date: modified }),
    ...(isPresent(summary) ? { summary } : {}),
    ...(isPresent(severity) ? { severity } : {}),
    ...(isRejection(summary) || isRejection(details) ? { rejected: true } : {}),
    // A withdrawn advisory affects nothing.
    ...(isPresent(withdrawn) ? { withdrawn } : { affected: packages.map(packageOf) }),
  };
}

function packageOf(one: Json): unknown {
  const { ecosystem, name, purl } = (one["package"] ?? {}) as Json;
  const ranges = (one["ranges"] ?? []) as Json[];
  return {
    ...(isPresent(ecosystem) ? { ecosystem, name } : {}),
    ...(isPresent(purl) ? { purl } : {}),
    ranges: ranges.map(({ type, repo, events }) => ({
      type,
      ...(isPresent(repo) ? { repo } : {}),
      events,
    })),
    ...(isPresent(one["versions"]) ? { versions: one["versions"] } : {}),
  };
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}
