/**
 * Risk data: what is known about vulnerabilities, from several providers, made into one thing that
 * can be asked offline.
 *
 * Each provider's files stay as they are (`originals/<name>/`), are checked record by record
 * against the provider's own schema, and are joined into `joined.ndjson`: one line for each CVE,
 * sorted bytewise, with exploitation (KEV), probability (EPSS), affected packages (OSV) and the
 * status of products (CSAF). `providers.json` says what went in. The same inputs give the same
 * bytes, and memory does not grow with them: facts go through a sorted spool.
 */
import type { PrivateFiles } from "../bundle/private_files.ts";
import { earliestCreated } from "../domain/time.ts";
import { parseCsaf } from "./csaf.ts";
import { parseEpss } from "./epss.ts";
import { Facts } from "./facts.ts";
import { parseKev } from "./kev.ts";
import { parseOsv } from "./osv.ts";
import { type RiskReport, writeOutput } from "./output.ts";
import type { Original, Provider, ProviderKind, Sink } from "./provider.ts";
import { listFiles, OriginalsDigest, roleOf } from "./read.ts";
import { refuseBad, Tally } from "./tally.ts";

export interface BuildOptions {
  providers: readonly Provider[];
  /** An empty directory for the result. */
  directory: string;
  /** Another one, for what is in between; the caller removes it. */
  scratch: string;
  /** Seconds since 1970: SOURCE_DATE_EPOCH; undefined: `newest`, or a later date of downloaded data. */
  epoch?: number;
  /** Time of the newest local file, seconds since 1970. */
  newest: number;
  /** None of these is read. */
  privateFiles: PrivateFiles;
  /** Awaited now and then, so that signals and timers of the process get their turn. @throws to stop */
  yieldToEventLoop: () => Promise<void>;
}

const parsers: Record<ProviderKind, (file: Original, sink: Sink) => void | Promise<void>> = {
  kev: parseKev,
  osv: parseOsv,
  epss: parseEpss,
  csaf: parseCsaf,
};

/**
 * Reads all providers and writes joined.ndjson, providers.json and, where records were left out, rejected.ndjson.
 * @throws StellaError usage with every bad record and its place, media
 */
export async function buildRisk(options: BuildOptions): Promise<RiskReport> {
  const { providers, directory, scratch } = options;
  const yieldToEventLoop = throttled(options.yieldToEventLoop);
  const tallies = providers.map((provider) => new Tally(provider));
  const facts = new Facts(scratch, tallies);
  const digests: OriginalsDigest[] = [];
  for (const [i, provider] of providers.entries()) {
    const reading = { ...options, yieldToEventLoop, tally: tallies[i]! };
    digests.push(await readProvider(provider, facts.sinkOf(i), reading));
  }
  const created = createdOf(options, tallies);
  const lines = facts.sorted();
  const report = await writeOutput({
    directory,
    lines,
    tallies,
    digests,
    created,
    yieldToEventLoop: yieldToEventLoop,
  });
  refuseBad(tallies);
  return report;
}

async function readProvider(
  provider: Provider,
  sink: Sink,
  { privateFiles, tally, yieldToEventLoop: yieldToEventLoop }:
    & Pick<BuildOptions, "privateFiles" | "yieldToEventLoop">
    & {
      tally: Tally;
    },
): Promise<OriginalsDigest> {
  const digest = new OriginalsDigest(provider, privateFiles);
  const { root, files, isAlone } = await listFiles(provider);
  for (const listed of files) {
    const role = isAlone ? "record" : roleOf(provider.kind, listed.path);
    if (role === "unknown") tally.addUnread(listed.path);
    const { file, done } = digest.open(root, listed);
    try {
      if (role === "record") await parsers[provider.kind](file, sink);
    } finally {
      done();
    }
    await yieldToEventLoop();
  }
  return digest;
}

/** A breath takes a millisecond; there are thousands of files. */
function throttled(yieldToEventLoop: () => Promise<void>): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 50) return;
    await yieldToEventLoop();
    last = performance.now();
  };
}

/** Downloaded files have no time of their own: the data's date stands for it. */
function createdOf({ epoch, newest }: BuildOptions, tallies: readonly Tally[]): number {
  if (epoch !== undefined) return epoch;
  const downloaded = tallies.filter(({ provider }) => provider.url !== undefined);
  const dates = downloaded.map((tally) => tally.latest ?? earliestCreated);
  return Math.max(newest, earliestCreated, ...dates);
}
