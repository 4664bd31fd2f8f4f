/**
 * Parses advisories in the OSV format, one JSON or YAML file each. Source: OSV schema 1.7
 * (ossf.github.io/osv-schema). Packages, ranges and versions are kept unchanged; data for an
 * ecosystem's own tools stays in the original.
 */
import { isObject } from "../domain/json.ts";
import { canonical, derivedFrom, isId } from "./ids.ts";
import type { Original, Sink } from "./provider.ts";
import { readRecord } from "./read.ts";
import { isRejection } from "./rejection.ts";
import { anything, checked, fields, id, list, oneOf, text, time, type Valid } from "./schema.ts";

const marks = ["introduced", "fixed", "last_affected", "limit"];

const event = checked(
  { fields: new Map(marks.map((mark) => [mark, "scalar"])) },
  (value, place, fault) => {
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

const advisory = fields({ id, modified: time }, {
  schema_version: text,
  published: time,
  withdrawn: time,
  aliases: list(anything),
  upstream: list(anything),
  related: list(anything),
  summary: text,
  details: anything,
  severity: list(fields({ type: text, score: text })),
  affected: list(affected),
});
type Advisory = Valid<typeof advisory>;

/** Lists of other ids. */
const idLists = ["aliases", "upstream", "related"] as const;
type IdLists = Record<typeof idLists[number], string[]>;

export async function parseOsv(file: Original, sink: Sink): Promise<void> {
  const value = await readRecord(file, sink, advisory, { idsOf: mentioned });
  if (value === undefined) return;
  const { modified, published } = value;
  sink.recordDate(modified);
  // Some databases (Go's in 2022) state 0001 as every modification time.
  if (isPresent(published)) sink.recordDate(published);
  const own = canonical(value.id);
  const lists = idsOf(value, own, file, sink);
  const { aliases, upstream, related } = lists;
  const derived = derivedFrom(own);
  sink.advisory({
    identity: own,
    version: { time: modified },
    path: file.path,
    facts: [{
      key: own,
      ids: [own, ...aliases],
      upstream: derived === undefined ? upstream : [derived, ...upstream],
      related,
      record: own,
      value: factOf(value, lists),
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

/** The ids in the lists; invalid ones are left out and reported. */
function idsOf(value: Advisory, own: string, file: Original, sink: Sink): IdLists {
  const found: IdLists = { aliases: [], upstream: [], related: [] };
  for (const name of idLists) {
    for (const [i, one] of (value[name] ?? []).entries()) {
      const id = typeof one === "string" ? one.trim() : one;
      if (isId(id)) {
        found[name].push(canonical(id));
        continue;
      }
      const reason = `${name}[${i}] is not an id: ${(JSON.stringify(one) ?? "").slice(0, 200)}`;
      sink.rejectId(file, reason, [own, String(one)]);
    }
  }
  return found;
}

function factOf(value: Advisory, { aliases, upstream, related }: IdLists): unknown {
  const { modified, summary, details, severity, withdrawn } = value;
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
    ...(isPresent(withdrawn) ? { withdrawn } : { affected: (value.affected ?? []).map(packageOf) }),
  };
}

function packageOf({ package: named, ranges, versions }: Valid<typeof affected>): unknown {
  return {
    ...(named ? { ecosystem: named.ecosystem, name: named.name } : {}),
    ...(isPresent(named?.purl) ? { purl: named.purl } : {}),
    ranges: (ranges ?? []).map(({ type, repo, events }) => ({
      type,
      ...(isPresent(repo) ? { repo } : {}),
      events,
    })),
    ...(isPresent(versions) ? { versions } : {}),
  };
}

function isPresent<Value>(value: Value | undefined | null): value is Value {
  return value !== undefined && value !== null;
}
