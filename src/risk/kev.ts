/**
 * CISA's Known Exploited Vulnerabilities catalog, JSON: one file with all entries.
 * Source: known_exploited_vulnerabilities_schema.json of cisagov/kev-data (draft-07).
 */
import type { Original, Sink } from "./provider.ts";
import { readJson } from "./read.ts";
import { cve, date, fields, isObject, list, text, time } from "./schema.ts";

const head = fields({ catalogVersion: text, dateReleased: time, vulnerabilities: list(() => {}) });

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

export function parseKev(file: Original, sink: Sink): void {
  const catalog = readJson(file, sink);
  if (catalog === undefined) return;
  const faults: string[] = [];
  head(catalog, "", (place, reason) => faults.push(`${place || "the file"} ${reason}`));
  faults.forEach((fault) => sink.bad(file.path, fault));
  const vulnerabilities = isObject(catalog) ? catalog["vulnerabilities"] : undefined;
  if (faults.length > 0 || !isObject(catalog) || !Array.isArray(vulnerabilities)) return;
  sink.dated(String(catalog["dateReleased"]));
  checkCount(catalog["count"], vulnerabilities.length, file, sink);
  vulnerabilities.forEach((one, i) => parseEntry(one, `vulnerabilities[${i}]`, file, sink));
}

/** A catalog that was cut and closed again by a tool still says how long it was. */
function checkCount(count: unknown, found: number, file: Original, sink: Sink): void {
  if (count !== found) sink.bad(file.path, `count is not ${found}, the number of entries`);
}

function parseEntry(value: unknown, place: string, file: Original, sink: Sink): void {
  let bad = false;
  entry(value, place, (where, reason) => {
    bad = true;
    sink.bad(file.path, `${where} ${reason}`);
  });
  if (bad || !isObject(value)) return;
  const id = String(value["cveID"]);
  sink.fact({
    ids: [id],
    record: id,
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
