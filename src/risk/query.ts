/**
 * Looks up an id in a risk bundle while its files are read, with one line of each in memory: what
 * is known, which providers were consulted, and which records left out at export may concern it.
 * Bundles of earlier versions contain less, and are supported.
 */
import { Buffer } from "node:buffer";
import { shown } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import { canonical, isCve, isId, keyOf } from "./ids.ts";
import type { Joined } from "./join.ts";
import { isJoinedFile } from "./joined_files.ts";
import { Lines } from "./lines.ts";
import { type LeftOut, type ProviderReport, providersName, rejectedName } from "./provider.ts";

interface Covering {
  record: string;
  cves: string[];
}

/** A line, and for a record that leads to no CVE, where else to look. */
export interface AnsweredLine extends Joined {
  /** CVEs under which the record is listed, as related or upstream. */
  listedUnder?: string[];
  /** Advisories of several CVEs that share one of its ids. */
  coveredBy?: Covering[];
}

/** A provider in providers.json; earlier versions lack `unread`. */
export type AskedProvider =
  & Pick<ProviderReport, "name" | "kind" | "asOf" | "records" | "rejected" | "badIds">
  & Partial<Pick<ProviderReport, "unread">>;

/** A line of rejected.ndjson; earlier versions lack `what`. */
export type LeftOutLine = Omit<LeftOut, "what"> & Partial<Pick<LeftOut, "what">>;

export interface RiskAnswer {
  lines: AnsweredLine[];
  providers: AskedProvider[];
  /** Left out records that may concern the id: the first ones, and their number. */
  leftOut: { count: number; first: LeftOutLine[] };
}

/** Longer than any line that stella writes. */
export const maxLine = 64 * 1024 * 1024;
const maxProviders = 64 * 1024 * 1024;
const maxFirst = 20;
/** Characters of ids. Databases have some thousand advisories of several CVEs, of a hundred each. */
const maxKept = 8 * 1024 * 1024;

export class RiskQuery {
  readonly #search: LineSearch;
  readonly #rejected = new Lines(maxLine, tooLong);
  readonly #providers: Uint8Array[] = [];
  #providersBytes = 0;
  #isRiskData = false;
  #keys: ReadonlySet<string> | undefined;
  #left = { count: 0, first: [] as LeftOutLine[] };

  /** @throws StellaError usage if it is not an id */
  constructor(readonly id: string) {
    this.#search = new LineSearch(id);
  }

  /** A consumer for the content of `path`. Files come in the order of their names. */
  take(path: string): ((piece: Uint8Array) => void) | undefined {
    if (isJoinedFile(path)) {
      this.#isRiskData = true;
      this.#search.endFile();
      return (piece) => this.#search.push(piece);
    }
    if (path === rejectedName) return (piece) => this.#lookAt(this.#rejected.push(piece));
    if (path !== providersName) return undefined;
    return (piece) => {
      this.#providersBytes += piece.length;
      if (this.#providersBytes > maxProviders) tooLong();
      this.#providers.push(piece.slice());
    };
  }

  end(): RiskAnswer | undefined {
    if (!this.#isRiskData) return undefined;
    this.#lookAt(this.#rejected.end());
    return { lines: this.#search.end(), providers: this.#asked(), leftOut: this.#left };
  }

  #asked(): AskedProvider[] {
    if (this.#providers.length === 0) return [];
    const text = Buffer.concat(this.#providers).toString();
    const { providers } = JSON.parse(text) as { providers: AskedProvider[] };
    return providers.map(({ name, kind, asOf, records, rejected, badIds = 0, unread }) => {
      const counts = { records, rejected, badIds, ...(unread === undefined ? {} : { unread }) };
      return { name, kind, asOf, ...counts };
    });
  }

  #lookAt(lines: Iterable<string>): void {
    for (const line of lines) {
      const one = JSON.parse(line) as LeftOutLine;
      if (!this.#mayTouch(one)) continue;
      this.#left.count++;
      if (this.#left.first.length < maxFirst) this.#left.first.push(one);
    }
  }

  /** A record whose ids are unknown may concern any id. */
  #mayTouch({ ids }: LeftOutLine): boolean {
    if (ids === undefined) return true;
    const keys = this.#keys ??= this.#ownKeys();
    const asked = lettersAndDigits(this.id);
    return ids.some((id) => {
      const key = keyOf(id);
      return keys.has(key) || [...keys].some((own) => key.includes(own)) ||
        lettersAndDigits(id).includes(asked);
    });
  }

  /** The id, its other names, and the records about it. */
  #ownKeys(): Set<string> {
    const ids = this.#search.end().flatMap(({ id, aliases, sources }) =>
      [id, aliases, sources.map(({ record }) => record)].flat()
    );
    return new Set([this.id, ...ids].map(keyOf));
  }
}

/** Makes `CVE_2021_0001` and `CVE–2021–0001` equal. */
function lettersAndDigits(id: string): string {
  return keyOf(id).replaceAll(/[^\p{L}\d]/gu, "");
}

function tooLong(): never {
  const what = `Cannot read the risk data: a line is longer than ${maxLine} characters`;
  throw new StellaError("risk_data_invalid", what, { hint: "report it to the sender" });
}

/** Finds the joined lines about an id. */
export class LineSearch {
  readonly #id: string;
  readonly #key: string;
  /** The id in any case, as part of a line. */
  readonly #pattern: RegExp;
  readonly #found: AnsweredLine[] = [];
  readonly #listedUnder: string[] = [];
  readonly #covering = new CoveringAdvisories();
  readonly #lines = new Lines(maxLine, tooLong);
  #isOver = false;

  /** `id` is a CVE or another id, in any case. @throws StellaError usage if it is not an id */
  constructor(id: string) {
    if (!isId(id)) {
      throw new StellaError("id_invalid", `Cannot query ${shown(id)}: not an id`, {
        hint: "use an id such as CVE-2021-44228, GHSA-jfh8-c2jp-5v3q or RHSA-2021:5186",
      });
    }
    this.#id = canonical(id);
    this.#key = keyOf(id);
    this.#pattern = new RegExp(`"${RegExp.escape(id)}"`, "iu");
  }

  push(piece: Uint8Array): void {
    for (const line of this.#lines.push(piece)) this.#look(line);
  }

  /** The last line of a file may lack its line feed. */
  endFile(): void {
    for (const line of this.#lines.end()) this.#look(line);
  }

  /** All lines with the id as their own or as an alias, in order. */
  end(): AnsweredLine[] {
    if (this.#isOver) return this.#found;
    this.#isOver = true;
    this.endFile();
    for (const line of this.#found) this.#tellElsewhere(line);
    return this.#found;
  }

  #look(line: string): void {
    // A CVE's own line is complete.
    if (!isCve(this.#id)) this.#covering.note(line);
    if (!this.#pattern.test(line)) return;
    const value = JSON.parse(line) as Joined;
    if (this.#isAbout(value)) this.#found.push(value);
    else if (isCve(value.id) && value.sources.some(({ record }) => keyOf(record) === this.#key)) {
      this.#listedUnder.push(value.id);
    }
  }

  #tellElsewhere(line: AnsweredLine): void {
    const { id, aliases, covers } = line;
    if (isCve(id) || covers !== undefined) return;
    const coveredBy = this.#covering.of([id, ...aliases]);
    if (coveredBy.length > 0) line.coveredBy = coveredBy;
    if (keyOf(id) === this.#key && this.#listedUnder.length > 0) {
      line.listedUnder = this.#listedUnder;
    }
  }

  #isAbout({ id, aliases, covers = [], sources }: Joined): boolean {
    const isSame = (other: string) => keyOf(other) === this.#key;
    if ([id, ...aliases].some(isSame)) return true;
    // A CVE has its own line, which includes the record that covers it.
    if (!isCve(this.#id) && covers.some(isSame)) return true;
    // A document about several vulnerabilities has no line of its own.
    return sources.some(({ record, publisher }) => publisher !== undefined && isSame(record));
  }
}

/**
 * Advisories that cover several CVEs, by all their ids. A record whose alias is such an advisory
 * may be about any of its CVEs, so it is linked to none, and a query reports them all.
 */
class CoveringAdvisories {
  readonly #byId = new Map<string, Covering[]>();
  #kept = 0;

  /** Records a joined line if it belongs to such an advisory. */
  note(line: string): void {
    // Most lines have none, and parsing all of them would take several times as long.
    if (!line.includes('"covers":[')) return;
    const { id, covers = [] } = JSON.parse(line) as { id: string; covers?: string[] };
    const cves = covers.filter(isCve);
    this.#kept += [id, ...covers].join().length;
    if (cves.length === 0 || this.#kept > maxKept) return;
    for (const name of [id, ...covers.filter((one) => !isCve(one))].map(keyOf)) {
      this.#byId.getOrInsertComputed(name, () => []).push({ record: id, cves });
    }
  }

  /** The advisories with one of the ids, without duplicates. */
  of(ids: readonly string[]): Covering[] {
    const found = ids.flatMap((id) => this.#byId.get(keyOf(id)) ?? []);
    return [...new Map(found.map((one) => [one.record, one])).values()];
  }
}
