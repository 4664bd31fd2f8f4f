/** Answers of `stella risk query` as text of the bundle: each line is escaped. */
import { escaped, shown } from "../domain/names.ts";
import { isCve } from "../risk/ids.ts";
import type { AnsweredLine, AskedProvider, LeftOutLine, RiskAnswer } from "../risk/query.ts";
import { plural } from "./render.ts";

type Json = Record<string, unknown>;

/** The answer, what may be missing in it, and data that is too old. */
export function riskText(id: string, answer: RiskAnswer, stale: readonly Stale[]): string {
  const { lines, providers, leftOut } = answer;
  const found = lines.length > 0
    ? lines.map((line) => answerText(line, answer)).join("\n")
    : notFoundText(id, providers);
  return [found, leftOutText(leftOut), unreadText(providers), staleText(stale)].join("");
}

export function answerText(answer: AnsweredLine, about: Omit<RiskAnswer, "lines">): string {
  const { id, aliases, covers, kev, epss, affected, vex, sources } = answer;
  return text([
    [id, ...aliases].join("  "),
    ...(covers === undefined ? [] : [`  covers      ${covers.join("  ")}`]),
    ...(isCve(id)
      ? [
        `  exploited   ${kev === null ? absent("kev", "not known to be", about) : exploited(kev)}`,
        `  epss        ${epss === null ? absent("epss", "no score", about) : scored(epss)}`,
      ]
      : [`  exploited   ${exploitedElsewhere(answer)}`]),
    ...affected.map((one) => `  affected    ${packageText(one)}`),
    ...vex.flatMap((one) => statusLines(one)),
    ...sources.map((one) => `  source      ${sourceText(one)}`),
  ]);
}

function notFoundText(id: string, providers: readonly AskedProvider[]): string {
  return text([
    `not found: ${shown(id)} is in none of the providers of this bundle (code 16)`,
    ...providers.map(({ name, asOf, records }) =>
      `  asked       ${name}, as of ${asOf}: ${plural(records, "record")}`
    ),
  ]);
}

/** What was left out at export and may concern the id. */
function leftOutText({ count, first }: RiskAnswer["leftOut"]): string {
  if (count === 0) return "";
  const listed = first.slice(0, 5);
  const more = count - listed.length;
  return text([
    ...listed.map((one) => `  left out    ${leftOutLine(one)}`),
    ...(more > 0 ? [`  left out    ${more} more that may be about it: see rejected.ndjson`] : []),
  ]);
}

/** Files that were not read may concern any id. */
function unreadText(providers: readonly AskedProvider[]): string {
  return text(providers.flatMap(({ name, unread }) => {
    if (unread === undefined || unread.files === 0) return [];
    const first = unread.names.slice(0, 3);
    const more = unread.files > first.length ? ", ..." : "";
    const files = `${plural(unread.files, "file")} not read: ${first.join(", ")}${more}`;
    return [`  left out    ${name}: ${files} (it may be about this id)`];
  }));
}

/** A provider whose data is not as new as asked for. */
export interface Stale {
  name: string;
  asOf: string;
  why: string;
}

function staleText(stale: readonly Stale[]): string {
  return text(stale.map(({ name, asOf, why }) => `stale: ${name} is of ${asOf}, ${why} (code 16)`));
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${escaped(line)}\n`).join("");
}

function leftOutLine({ provider, path, line, reason, ids }: LeftOutLine): string {
  const place = `${provider} ${path}${line === undefined ? "" : ` line ${line}`}`;
  return `${place}: ${reason}${ids === undefined ? " (it may be about this id)" : ""}`;
}

/** KEV and EPSS only have CVEs: a missing entry of another id says nothing. */
function exploitedElsewhere(answer: AnsweredLine): string {
  const { covers = [], listedUnder = [], coveredBy = [], sources } = answer;
  const named = sources.flatMap(({ upstream = [], related = [] }) =>
    [upstream, related].flat() as string[]
  );
  const cves = [...covers, ...named, ...listedUnder].filter(isCve);
  if (cves.length > 0) return `query its CVEs: ${firstOf(cves)}`;
  if (coveredBy.length === 0) return "unknown, as it has no CVE";
  const records = firstOf(coveredBy.map(({ record }) => record));
  return `query the CVEs of ${records}: ${firstOf(coveredBy.flatMap((one) => one.cves))}`;
}

/** Some of them, each once, and how many more there are. */
function firstOf(ids: readonly string[]): string {
  const all = [...new Set(ids)];
  const more = all.length > 5 ? `, and ${all.length - 5} more` : "";
  return `${all.slice(0, 5).join(", ")}${more}`;
}

/** If no provider was consulted, or its data was not readable, the answer is not "no". */
function absent(
  kind: "kev" | "epss",
  none: string,
  { providers, leftOut }: Omit<RiskAnswer, "lines">,
): string {
  const asked = providers.filter((provider) => provider.kind === kind);
  if (asked.length === 0) return `unknown: the bundle has no provider of the kind ${kind}`;
  // Those beyond the first ones may be of this provider.
  const isLeftOut = leftOut.count > leftOut.first.length ||
    leftOut.first.some(({ provider }) => asked.some(({ name }) => name === provider));
  return isLeftOut ? "unknown: see what was left out" : none;
}

function exploited(kev: Json): string {
  const ransomware = kev["ransomware"] === true ? ", also by ransomware" : "";
  return `yes${ransomware}: ${kev["name"]}, since ${kev["dateAdded"]}, due ${kev["dueDate"]}`;
}

function scored(epss: Json): string {
  const date = epss["date"] === undefined ? "" : `, of ${epss["date"]}`;
  return `${epss["score"]}, percentile ${epss["percentile"]}${date}`;
}

function packageText(one: Json): string {
  const name = [one["ecosystem"], one["name"]].filter((part) => part !== undefined).join(" ");
  const ranges = one["ranges"] as { type?: string; events: Record<string, string>[] }[];
  const events = ranges.flatMap((range) => range.events).flatMap((event) => Object.entries(event));
  // A commit says nothing of a release; other ranges say the same as the list.
  const isListed = ranges.every(({ type }) => type === "GIT");
  const range = [
    ...events.map(([mark, version]) => `${mark} ${version}`),
    ...(isListed ? versionsText(one["versions"] as string[] | undefined) : []),
  ].join(", ");
  const link = one["link"] === "upstream" || one["link"] === "related"
    ? ` (${one["link"]}: ${one["record"]})`
    : "";
  return `${[name, range].filter((part) => part !== "").join(" ")}${link}`;
}

const maxVersions = 5;

function versionsText(versions: readonly string[] = []): string[] {
  if (versions.length === 0) return [];
  const more = versions.length - maxVersions;
  const first = versions.slice(0, maxVersions).join(", ");
  return [`versions ${first}${more > 0 ? ` and ${more} more` : ""}`];
}

function statusLines(one: Json): string[] {
  const status = one["status"] as Record<string, string[]>;
  const by = one["publisher"] === undefined ? "" : ` of ${one["publisher"]}`;
  const date = one["date"] === undefined ? "" : `, ${String(one["date"]).slice(0, 10)}`;
  return Object.entries(status).map(([name, products]) =>
    `  vex         ${name.replaceAll("_", " ")}: ${products.join(", ")} (${
      one["record"]
    }${by}${date})`
  );
}

const linkTexts: Record<string, string> = {
  several: "one of several CVEs that it covers",
  upstream: "upstream",
  related: "related",
};

function sourceText({ provider, record, link, withdrawn, rejected, date }: Json): string {
  const notes = [
    link === undefined ? "" : linkTexts[String(link)] ?? String(link),
    withdrawn === undefined ? "" : `withdrawn ${withdrawn}`,
    rejected === true ? "rejected" : "",
    date === undefined ? "" : `of ${String(date).slice(0, 10)}`,
  ].filter((note) => note !== "");
  return `${provider} ${record}${notes.length === 0 ? "" : ` (${notes.join(", ")})`}`;
}
