/** What is counted about a provider while it is read, and what is wrong with its records. */
import { type Finding, StellaError } from "../domain/errors.ts";
import { createdText, earliestCreated, latestCreated } from "../domain/time.ts";
import type { Counts, LeftOut, Link, Place, Provider } from "./provider.ts";

/** Faults that are kept one by one; all are counted. */
const maxKept = 100_000;
/** Faults that an error lists. */
const maxListed = 1_000;
/** Names of files that nothing reads; all are counted. */
const maxUnread = 100;

export class Tally implements Counts {
  records = 0;
  rejected = 0;
  duplicates = 0;
  superseded = 0;
  badIds = 0;
  readonly leftOut: LeftOut[] = [];
  /** Files of a kind that is not known, which are carried and not read. */
  readonly unread: { files: number; names: string[] } = { files: 0, names: [] };
  /** How often a record stands under a CVE, by the reason why. */
  readonly links: Record<Link, number> = { alias: 0, several: 0, upstream: 0, related: 0 };
  /** The latest date of the data itself, seconds since 1970. */
  latest: number | undefined;
  #lastBad: string | undefined;

  constructor(readonly provider: Provider) {}

  /**
   * A record may have many faults and is rejected once: a line, an entry of a list, or a file. Its
   * faults come together.
   */
  reject(place: Place, reason: string, ids?: readonly string[]): void {
    const entry = /^vulnerabilities\[\d+\]/.exec(reason)?.[0];
    const part = this.provider.kind === "kev" ? entry : place.line;
    const key = `${place.path} ${part ?? ""}`;
    if (key !== this.#lastBad) this.rejected++;
    this.#lastBad = key;
    this.#leaveOut("record", place, reason, ids);
  }

  rejectId(place: Place, reason: string, ids: readonly string[]): void {
    this.badIds++;
    this.#leaveOut("id", place, reason, ids);
  }

  /**
   * A record stands twice with one version: the same again is no fault, another one under its name
   * is.
   */
  conflict(place: Place, record: string, ids: readonly string[]): void {
    this.reject(place, `${record} stands twice, with different content`, ids);
  }

  addUnread(path: string): void {
    this.unread.files++;
    if (this.unread.names.length < maxUnread) this.unread.names.push(path);
  }

  #leaveOut(
    what: LeftOut["what"],
    { path, line }: Place,
    reason: string,
    ids?: readonly string[],
  ): void {
    if (this.leftOut.length > maxKept) return;
    if (this.leftOut.length === maxKept) {
      // It may be about any id, so that every answer tells that something is missing here.
      const provider = this.provider.name;
      const more = `more was left out than the ${maxKept} faults that are listed here`;
      return void this.leftOut.push({ provider, path: "", what, reason: more });
    }
    this.leftOut.push({
      provider: this.provider.name,
      path,
      ...(line === undefined ? {} : { line }),
      what,
      reason,
      ...(ids === undefined ? {} : { ids }),
    });
  }

  /** Years such as 0001 mean that nobody filled the date in. */
  recordDate(date: string): void {
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
    findings: refusing.flatMap(({ leftOut }) => leftOut.filter(({ what }) => what === "record"))
      .slice(0, maxListed).map(finding),
  });
}

function finding({ provider, path, line, reason }: LeftOut): Finding {
  const place = line === undefined ? {} : { line };
  return {
    code: "usage",
    reason: "record_invalid",
    path: `${provider}/${path}`,
    ...place,
    found: reason,
  };
}
