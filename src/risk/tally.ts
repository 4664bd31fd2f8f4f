/** Counts a provider's records while they are read, and collects their faults. */
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import { createdText, earliestCreated, latestCreated } from "../domain/time.ts";
import type { Counts, LeftOut, Place, Provider } from "./provider.ts";

/** Faults kept individually; all are counted. */
const maxKept = 100_000;
const maxListed = 1_000;
/** Names kept of files that are not read; all are counted. */
const maxUnread = 100;

export class Tally {
  /** In the order of providers.json. */
  readonly counts: Counts = {
    records: 0,
    rejected: 0,
    duplicates: 0,
    superseded: 0,
    badIds: 0,
    links: { alias: 0, several: 0, upstream: 0, related: 0 },
    unread: { files: 0, names: [] },
  };
  readonly leftOut: LeftOut[] = [];
  /** The latest date in the data, seconds since 1970. */
  latest: number | undefined;
  #lastBad: string | undefined;

  constructor(readonly provider: Provider) {}

  /** A record (a line, an entry of a list, a file) is rejected once; its faults come together. */
  reject(place: Place, reason: string, ids?: readonly string[]): void {
    const key = `${place.path} ${place.line ?? place.entry ?? ""}`;
    if (key !== this.#lastBad) this.counts.rejected++;
    this.#lastBad = key;
    this.#leaveOut("record", place, reason, ids);
  }

  rejectId(place: Place, reason: string, ids: readonly string[]): void {
    this.counts.badIds++;
    this.#leaveOut("id", place, reason, ids);
  }

  /** A record occurs twice with the same version but other content. */
  conflict(place: Place, record: string, ids: readonly string[]): void {
    this.reject(place, `${record} occurs twice with different content`, ids);
  }

  addUnread(path: string): void {
    const { unread } = this.counts;
    unread.files++;
    if (unread.names.length < maxUnread) unread.names.push(path);
  }

  #leaveOut(
    what: LeftOut["what"],
    { path, line }: Place,
    reason: string,
    ids?: readonly string[],
  ): void {
    const provider = this.provider.name;
    if (this.leftOut.length > maxKept) return;
    if (this.leftOut.length === maxKept) {
      // It may concern any id, so every answer must mention it.
      const more = `more records were left out than the ${maxKept} faults listed here`;
      return void this.leftOut.push({ provider, path: "", what, reason: more });
    }
    this.leftOut.push({
      provider,
      path,
      ...(line === undefined ? {} : { line }),
      what,
      reason,
      ...(ids === undefined ? {} : { ids }),
    });
  }

  /** A year such as 0001 means that the date was not filled in. */
  recordDate(date: string): void {
    const seconds = Math.floor(Date.parse(date) / 1000);
    if (!(seconds >= earliestCreated && seconds <= latestCreated)) return;
    this.latest = Math.max(this.latest ?? 0, seconds);
  }

  /** The configured date, otherwise the data's own date, otherwise `created`. */
  asOf(created: number): string {
    return this.provider.asOf ?? createdText(this.latest ?? created);
  }
}

/** @throws StellaError usage if invalid records are not to be skipped, or none is valid */
export function refuseBad(tallies: readonly Tally[]): void {
  const refusing = tallies.filter(({ provider, counts: { rejected, records } }) =>
    records === 0 || (provider.onInvalid === "fail" && rejected > 0)
  );
  if (refusing.length === 0) return;
  const count = refusing.reduce((sum, { counts }) => sum + counts.rejected, 0);
  const empty = refusing.flatMap(({ provider, counts: { records } }) =>
    records === 0 ? provider.name : []
  );
  const what = [
    ...(count > 0 ? [count === 1 ? "1 invalid record" : `${count} invalid records`] : []),
    ...(empty.length > 0 ? [`no valid record of ${empty.join(", ")}`] : []),
  ].join(", and ");
  throw new StellaError("record_invalid", `Cannot build the risk data: ${what}`, {
    hint: "get the data again, or leave invalid records out with onInvalid: skip",
    findings: refusing.flatMap(({ leftOut }) => leftOut.filter(({ what }) => what === "record"))
      .slice(0, maxListed).map(findingOf),
  });
}

function findingOf({ provider, path, line, reason: found }: LeftOut): Finding {
  const place = { path: `${provider}/${path}`, ...(line === undefined ? {} : { line }) };
  return finding("record_invalid", { ...place, found });
}
