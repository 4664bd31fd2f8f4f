/**
 * Parses CISA's Known Exploited Vulnerabilities catalog: one JSON file with all entries. Source:
 * known_exploited_vulnerabilities_schema.json of cisagov/kev-data (draft-07).
 */
import { isObject } from "../domain/json.ts";
import { canonical, isId } from "./ids.ts";
import type { Original, Sink } from "./provider.ts";
import { readRecord } from "./read.ts";
import { anything, checked, cve, date, fields, list, text, time, type Valid } from "./schema.ts";

const entry = fields({
  cveID: cve,
  vendorProject: text,
  product: text,
  vulnerabilityName: text,
  dateAdded: date,
  shortDescription: text,
  requiredAction: text,
  dueDate: date,
}, { knownRansomwareCampaignUse: text, notes: text, cwes: list(text) });

type Entry = Valid<typeof entry>;

/** Entries are checked one by one, so that an invalid one does not affect others. */
const entries = checked<unknown[]>({ items: entry.keep }, (value, place, fault) => {
  if (!Array.isArray(value)) fault(place, "is not a list");
});

const catalog = fields(
  { catalogVersion: text, dateReleased: time, vulnerabilities: entries },
  { count: anything },
);

export async function parseKev(file: Original, sink: Sink): Promise<void> {
  const found = await readRecord(file, sink, catalog);
  if (found === undefined) return;
  const { dateReleased: released, vulnerabilities, count } = found;
  sink.recordDate(released);
  // A catalog that was truncated and closed again by a tool still states its count.
  if (count !== vulnerabilities.length) {
    sink.reject(file, `count is not ${vulnerabilities.length}, the number of entries`);
  }
  vulnerabilities.forEach((one, i) => {
    const value = validEntry(one, i, file, sink);
    if (value !== undefined) sink.row({ ...rowOf(value), time: released, path: file.path });
  });
}

/** Undefined if it was rejected. */
function validEntry(value: unknown, index: number, { path }: Original, sink: Sink) {
  const id = isObject(value) ? value["cveID"] : undefined;
  const ids = isId(id) ? [canonical(id)] : undefined;
  let isRight = true;
  entry(value, `vulnerabilities[${index}]`, (where, reason) => {
    isRight = false;
    sink.reject({ path, entry: index }, `${where} ${reason}`, ids);
  });
  return isRight ? value as Entry : undefined;
}

function rowOf(entry: Entry) {
  return {
    cve: canonical(entry.cveID),
    value: {
      name: entry.vulnerabilityName,
      vendor: entry.vendorProject,
      product: entry.product,
      dateAdded: entry.dateAdded,
      dueDate: entry.dueDate,
      ransomware: entry.knownRansomwareCampaignUse === "Known",
    },
  };
}
