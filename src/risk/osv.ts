/**
 * Advisories in the OSV format, one JSON file each. Source: OSV schema 1.7 (ossf.github.io/osv-schema).
 * Packages, ranges and versions are kept as they are; what only the ecosystem's own tools read stays in the original.
 */
import type { Original, Sink } from "./provider.ts";
import { readJson } from "./read.ts";
import { type Check, fields, id, isObject, list, oneOf, text, time } from "./schema.ts";

const marks = ["introduced", "fixed", "last_affected", "limit"];

const event: Check = (value, place, fault) => {
  if (!isObject(value)) return fault(place, "is not an object");
  const found = Object.keys(value).filter((name) => marks.includes(name));
  if (found.length !== 1) return fault(place, `has not exactly one of ${marks.join(", ")}`);
  text(value[found[0]!], `${place}.${found[0]}`, fault);
};

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
  aliases: list(id),
  summary: text,
  severity: list(fields({ type: text, score: text })),
  affected: list(affected),
});

export function parseOsv(file: Original, sink: Sink): void {
  const value = readJson(file, sink);
  if (value === undefined) return;
  let bad = false;
  advisory(value, "", (place, reason) => {
    bad = true;
    sink.bad(file.path, `${place || "the file"} ${reason}`);
  });
  if (bad || !isObject(value)) return;
  sink.dated(String(value["modified"]));
  const aliases = (value["aliases"] ?? []) as string[];
  const own = String(value["id"]);
  sink.fact({
    ids: [own, ...aliases],
    record: own,
    path: file.path,
    value: factOf(value, aliases),
  });
}

function factOf(value: Record<string, unknown>, aliases: string[]): unknown {
  const { summary, severity, withdrawn } = value;
  const packages = (value["affected"] ?? []) as Record<string, unknown>[];
  return {
    aliases,
    ...(summary === undefined ? {} : { summary }),
    ...(severity === undefined ? {} : { severity }),
    // What was withdrawn affects nothing.
    ...(withdrawn === undefined ? { affected: packages.map(packageOf) } : { withdrawn }),
  };
}

function packageOf(one: Record<string, unknown>): unknown {
  const named = (one["package"] ?? {}) as Record<string, unknown>;
  const { ecosystem, name, purl } = named;
  const ranges = (one["ranges"] ?? []) as Record<string, unknown>[];
  return {
    ...(ecosystem === undefined ? {} : { ecosystem, name }),
    ...(purl === undefined ? {} : { purl }),
    ranges: ranges.map(({ type, repo, events }) => ({
      type,
      ...(repo === undefined ? {} : { repo }),
      events,
    })),
    ...(one["versions"] === undefined ? {} : { versions: one["versions"] }),
  };
}
