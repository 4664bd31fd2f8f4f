/** Writes the joined lines, the provider manifest, and what was left out. */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { writeNew } from "../domain/durable.ts";
import { createdText } from "../domain/time.ts";
import { decodeFact, joinFacts, type SpooledFact } from "./join.ts";
import { writeLines } from "../domain/hashed_file.ts";
import { JoinedFiles } from "./joined_files.ts";
import {
  folderOf,
  joinedFolder,
  type ProviderReport,
  providersName,
  rejectedName,
} from "./provider.ts";
import type { OriginalsDigest } from "./read.ts";
import type { Tally } from "./tally.ts";

const riskMediaType = "application/vnd.stella.risk.providers.v1+json";

export interface RiskReport {
  /** Seconds since 1970. */
  created: number;
  providers: ProviderReport[];
  /** Joined lines, and how many of them have data of more than one kind of provider. */
  ids: number;
  joined: number;
}

export interface OutputOptions {
  directory: string;
  /** Facts encoded by `encodeFact`, sorted. */
  lines: Iterable<string>;
  tallies: readonly Tally[];
  digests: readonly OriginalsDigest[];
  created: number;
  yieldToEventLoop: () => Promise<void> | undefined;
}

export async function writeOutput(options: OutputOptions): Promise<RiskReport> {
  const { directory, tallies, digests, created } = options;
  const { paths, ids, joined, ...files } = await writeJoined(options);
  const providers = tallies.map((tally, i) => reportOf(tally, digests[i]!, created));
  const manifest = {
    schemaVersion: 1,
    mediaType: riskMediaType,
    created: createdText(created),
    providers,
    joined: { path: joinedFolder, ids, joined, ...files },
  };
  writeNew(join(directory, providersName), JSON.stringify(manifest) + "\n", 0o644);
  const leftOut = tallies.flatMap((tally) => tally.leftOut);
  const names = [...paths, providersName];
  if (leftOut.length > 0) {
    const lines = leftOut.values().map((one) => JSON.stringify(one));
    writeLines(join(directory, rejectedName), 0o644, lines);
    names.push(rejectedName);
  }
  // They get the time of their input; otherwise the time of the export would be in the bundle.
  for (const name of names) utimesSync(join(directory, name), created, created);
  return { created, providers, ids, joined };
}

function reportOf(tally: Tally, digest: OriginalsDigest, created: number): ProviderReport {
  const { name, kind, url, licence = null, onInvalid } = tally.provider;
  const { files, bytes, names } = digest;
  return {
    ...{ name, kind, folder: folderOf(tally.provider) },
    ...(url === undefined ? {} : { url }),
    ...{ licence, asOf: tally.asOf(created), onInvalid },
    ...{ files, bytes, sha256: digest.digest() },
    ...tally.counts,
    ...(Object.keys(names).length === 0 ? {} : { names }),
  };
}

async function writeJoined(options: OutputOptions) {
  const { directory, lines, tallies, yieldToEventLoop } = options;
  const providers = tallies.map((tally) => tally.provider);
  const out = new JoinedFiles(directory);
  let [ids, joined] = [0, 0];
  try {
    for (const facts of byKey(lines, tallies)) {
      const kinds = new Set(facts.map((fact) => providers[fact.provider]!.kind));
      ids++;
      if (kinds.size > 1) joined++;
      const line = joinFacts(facts, providers);
      if (out.addLine(line.id, JSON.stringify(line))) await yieldToEventLoop();
    }
    return { paths: out.paths, ids, joined, ...out.end() };
  } finally {
    out.close();
  }
}

/** Groups of facts about an id, without repeated or older rows. */
function* byKey(lines: Iterable<string>, tallies: readonly Tally[]): Generator<SpooledFact[]> {
  let group: SpooledFact[] = [];
  let length = 0;
  for (const line of lines) {
    const fact = decodeFact(line);
    const before = group.at(-1);
    if (before !== undefined && before.key !== fact.key) {
      yield group;
      group = [];
      length = 0;
    } else if (before !== undefined && isRepeated(before, fact)) {
      repeated(before, fact, tallies[fact.provider]!);
      continue;
    }
    length += line.length;
    // The first one is within the limits of its own file.
    if (length <= maxLine || group.length === 0) group.push(fact);
    else tooMuch(fact, tallies[fact.provider]!);
  }
  if (group.length > 0) yield group;
}

/** Limit for a line, which readers and writers have to keep in memory. */
const maxLine = 20 * 1024 * 1024;

function tooMuch({ key, record, path }: SpooledFact, tally: Tally): void {
  const reason = `${record} does not fit on the line of ${key}, which is full`;
  tally.reject({ path }, reason, [key, record]);
}

/** A row's record has one row per CVE; advisories were compared by version before. */
function isRepeated(before: SpooledFact, fact: SpooledFact): boolean {
  return fact.mark === undefined && before.mark === undefined &&
    before.provider === fact.provider && before.record === fact.record;
}

/** The newest row comes first. */
function repeated(before: SpooledFact, fact: SpooledFact, tally: Tally): void {
  const { record, path, line } = fact;
  tally.counts.records--;
  tally.counts.links.alias--;
  if (before.order !== fact.order) tally.counts.superseded++;
  else if (JSON.stringify(before.value) === JSON.stringify(fact.value)) tally.counts.duplicates++;
  else tally.conflict({ path, ...(line === undefined ? {} : { line }) }, record, [record]);
}
