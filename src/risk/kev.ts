/**
 * Parses CISA's Known Exploited Vulnerabilities catalog: one JSON file with all entries. Source:
 * known_exploited_vulnerabilities_schema.json of cisagov/kev-data (draft-07).
 */
import { isObject } from "../domain/json.ts";
import { canonical, isId } from "./ids.ts";
import type { Original, Sink } from "./provider.ts";
import { faultsOf, readRecord } from "./read.ts";
import { anything, checked, cve, date, fields, list, text, time } from "./schema.ts";

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

/** Entries are checked one by one, so that an invalid one does not affect others. */
const entries = checked({ items: entry.keep }, (value, place, fault) => {
  if (!Array.isArray(value)) fault(place, "is not a list");
});

const catalogCheck = fields(
  { catalogVersion: text, dateReleased: time, vulnerabilities: entries },
  { count: anything },
);

export async function parseKev(file: Original, sink: Sink): Promise<void> {
  const catalog = await readRecord(file, sink, catalogCheck);
  if (catalog === undefined) return;
  const faults = faultsOf(catalogCheck, catalog);
  faults.forEach((fault) => sink.reject(file, fault));
  const vulnerabilities = isObject(catalog) ? catalog["vulnerabilities"] : undefined;
  if (faults.length > 0 || !isObject(catalog) || !Array.isArray(vulnerabilities)) return;
  const released = String(catalog["dateReleased"]);
  sink.recordDate(released);
  // A catalog that was truncated and closed again by a tool still states its count.
  if (catalog["count"] !== vulnerabilities.length) {
    sink.reject(file, `count is not ${vulnerabilities.length}, the number of entries`);
  }
  vulnerabilities.forEach((one, i) =>
    parseEntry(one, `vulnerabilities[${i}]`, released, file, sink)
  );
}

function parseEntry(
  value: unknown,
  place: string,
  released: string,
  file: Original,
  sink: Sink,
): void {
  const id = isObject(value) ? value["cveID"] : undefined;
  const ids = isId(id) ? [canonical(id)] : undefined;
  let bad = false;
  entry(value, place, (where, reason) => {
    bad = true;
    sink.reject(file, `${where} ${reason}`, ids);
  });
  if (bad || !isObject(value)) return;
  sink.row({
    cve: canonical(String(id)),
    time: released,
    path: file.path,
    value: {
      name: value["vulnerabilityName"],
      vendor: value["vendorProject"],
      product: value["product"],
      dateAdded: value["dateAdded"],
      dueDate: value["dueDate"],
      ransomware: value["knownRansomwareCampaignUse"] === "Known",
    },
  });
}
