/** What is counted about a provider while it is read, and what is wrong with its records. */
import { type Finding, StellaError } from "../errors.ts";
import { createdText, earliestCreated, latestCreated } from "../bundle/time.ts";
import type { BadRecord, Provider } from "./provider.ts";

export interface Counts {
  /** Good ones that were joined, each once. */
  records: number;
  /** Bad ones that were left out. */
  rejected: number;
  /** The same record again. */
  duplicates: number;
}

/** Faults that are kept one by one; all are counted. */
const mostKept = 100_000;
/** Faults that an error lists. */
const mostListed = 1_000;

export class Tally implements Counts {
  records = 0;
  duplicates = 0;
  readonly faults: BadRecord[] = [];
  /** The latest date of the data itself, seconds since 1970. */
  latest: number | undefined;
  readonly #bad = new Set<string>();
  readonly #repeated = new Set<string>();

  constructor(readonly provider: Provider) {}

  get rejected(): number {
    return this.#bad.size;
  }

  /** A record may have many faults and is rejected once: a line, an entry of a list, or a file. */
  bad(path: string, reason: string, line?: number): void {
    const entry = /^vulnerabilities\[\d+\]/.exec(reason)?.[0];
    const part = this.provider.kind === "kev" ? entry : line;
    this.#bad.add(`${path} ${part ?? ""}`);
    if (this.faults.length >= mostKept) return;
    const place = line === undefined ? { path } : { path, line };
    this.faults.push({ provider: this.provider.name, ...place, reason });
  }

  /** A record stands twice: the same again is no fault, another one under its name is. */
  repeated(record: string, same: boolean, path: string, line?: number): void {
    const place = `${path} ${line ?? ""} ${record}`;
    if (this.#repeated.has(place)) return;
    this.#repeated.add(place);
    this.records--;
    if (same) this.duplicates++;
    else this.bad(path, `${record} stands twice, with different content`, line);
  }

  /** Years such as 0001 mean that nobody filled the date in. */
  dated(date: string): void {
    const seconds = Math.floor(Date.parse(date) / 1000);
    if (!(seconds >= earliestCreated && seconds <= latestCreated)) return;
    this.latest = Math.max(this.latest ?? 0, seconds);
  }

  /** As configured, else the data's own date, else `created`. */
  asOf(created: number): string {
    return this.provider.asOf ?? createdText(this.latest ?? created);
  }
}

/** @throws StellaError usage where a provider with `onInvalid: fail` has bad records, or one has no good record at all */
export function refuseBad(tallies: readonly Tally[]): void {
  const refusing = tallies.filter(({ provider, rejected, records }) =>
    records === 0 || (provider.onInvalid === "fail" && rejected > 0)
  );
  if (refusing.length === 0) return;
  const count = refusing.reduce((sum, tally) => sum + tally.rejected, 0);
  const empty = refusing.filter(({ records }) => records === 0).map(({ provider }) =>
    provider.name
  );
  const what = [
    ...(count > 0 ? [count === 1 ? "1 bad record" : `${count} bad records`] : []),
    ...(empty.length > 0 ? [`no good record of ${empty.join(", ")}`] : []),
  ].join(", and ");
  throw new StellaError("usage", `Cannot build the risk data: there is ${what}`, {
    hint: "get the data again, or leave bad records out and have them listed: onInvalid: skip",
    findings: refusing.flatMap(({ faults }) => faults).slice(0, mostListed).map(finding),
  });
}

function finding({ provider, path, line, reason }: BadRecord): Finding {
  const place = line === undefined ? {} : { line };
  return {
    code: "usage",
    reason: "record_invalid",
    path: `${provider}/${path}`,
    ...place,
    found: reason,
  };
}
