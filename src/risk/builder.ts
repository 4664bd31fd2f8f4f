/**
 * Builds risk data: joins what several providers know about vulnerabilities for queries offline.
 *
 * Each provider's files are kept (`originals/<name>/`), checked record by record, and joined into
 * `joined/`: one line per CVE, in files by year and thousand, sorted bytewise, with exploitation
 * (KEV), probability (EPSS), affected packages (OSV) and product status (CSAF). `providers.json` describes the input. The same
 * inputs give the same bytes, and memory does not grow with them: facts are sorted through a spool.
 */
import type { PrivateFiles } from "../bundle/private_files.ts";
import { earliestCreated } from "../domain/time.ts";
import { throttled } from "../domain/throttled.ts";
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
  directory: string;
  /** An empty directory for temporary files; the caller removes it. */
  scratch: string;
  /** SOURCE_DATE_EPOCH; undefined: `newest`, or a later date of downloaded data. */
  epoch?: number;
  /** Newest mtime of the local files, seconds since 1970. */
  newest: number;
  privateFiles: PrivateFiles;
  /** Lets signals and timers of the process run. @throws to stop */
  yieldToEventLoop: () => Promise<void>;
  /** Monotonic milliseconds. */
  elapsed: () => number;
}

const parsers: Record<ProviderKind, (file: Original, sink: Sink) => void | Promise<void>> = {
  kev: parseKev,
  osv: parseOsv,
  epss: parseEpss,
  csaf: parseCsaf,
};

/**
 * Writes joined/, providers.json and, if records were left out, rejected.ndjson.
 * @throws StellaError usage with every invalid record and its location, io
 */
export async function buildRisk(options: BuildOptions): Promise<RiskReport> {
  const { providers, directory, scratch } = options;
  const yieldToEventLoop = throttled(options.yieldToEventLoop, options.elapsed);
  const tallies = providers.map((provider) => new Tally(provider));
  const facts = new Facts(scratch, tallies);
  const digests: OriginalsDigest[] = [];
  for (const [i, provider] of providers.entries()) {
    const digest = new OriginalsDigest(provider, options.privateFiles);
    digests.push(digest);
    await readProvider(digest, facts.sinkOf(i), tallies[i]!, yieldToEventLoop);
  }
  const created = createdOf(options, tallies);
  const inputs = { lines: facts.sorted(), tallies, digests };
  const report = await writeOutput({ directory, ...inputs, created, yieldToEventLoop });
  refuseBad(tallies);
  return report;
}

async function readProvider(
  digest: OriginalsDigest,
  sink: Sink,
  tally: Tally,
  yieldToEventLoop: () => Promise<void> | undefined,
): Promise<void> {
  const { provider } = digest;
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
}

/** Downloaded files have no mtime: the date of the data is used. */
function createdOf({ epoch, newest }: BuildOptions, tallies: readonly Tally[]): number {
  if (epoch !== undefined) return epoch;
  const downloaded = tallies.filter(({ provider }) => provider.url !== undefined);
  const dates = downloaded.map((tally) => tally.latest ?? earliestCreated);
  return Math.max(newest, earliestCreated, ...dates);
}
