/**
 * Profiles of the kind risk: what is downloaded is fetched, the risk room builds what joins the providers' data, and both go into
 * the payload. The originals are packed from where they lie; the pack then proves that it read the same bytes as the builder.
 */
import { mkdirSync, utimesSync } from "node:fs";
import { basename, join } from "node:path";
import { carriedName } from "../../bundle/carried_names.ts";
import { pathFault } from "../../domain/paths.ts";
import type { PrivateFiles } from "../../bundle/private_files.ts";
import { earliestCreated } from "../../domain/time.ts";
import type { FilesSource, Profile, ProviderConfig } from "../../config/profile.ts";
import { StellaError } from "../../domain/errors.ts";
import { download, type DownloadOptions } from "../../net/download.ts";
import { buildRisk } from "../../risk/builder.ts";
import type { ProviderReport } from "../../risk/output.ts";
import { folderOf, type Provider } from "../../risk/provider.ts";
import { refuseInside } from "../../output/output_transaction.ts";
import { makePlan } from "../plan.ts";
import type { RiskSummary } from "../report.ts";

/** What is made for an export before its plan. */
export interface Prepared {
  sources: FilesSource[];
  /** Seconds since 1970: `created`. */
  epoch: number;
  /** By provider, where risk data was built. */
  risk?: RiskSummary[];
}

export interface RiskParts {
  network: DownloadOptions;
  /** SOURCE_DATE_EPOCH. */
  epoch?: number;
  /** What goes in besides, which counts for `created`. */
  sources: readonly FilesSource[];
  /** None of these is read. */
  privateFiles: PrivateFiles;
  yieldToEventLoop: () => Promise<void>;
}

/** The option of an export that makes it one of risk data; none for other kinds of profile. */
export function preparation(
  profile: Profile,
  parts: RiskParts,
): { prepare?: (scratch: string) => Promise<Prepared> } {
  if (profile.kind !== "risk") return {};
  return { prepare: (scratch) => prepareRisk(profile, scratch, parts) };
}

/** Sources of the providers that lie on this machine. */
export function localOriginals(profile: Profile): FilesSource[] {
  return named(profile).filter(({ config }) => config.path !== undefined)
    .map(({ name, config }) => ({
      path: config.path!,
      prefix: folderOf({ name }),
      encodeNames: true,
    }));
}

/**
 * Builds the risk data of `profile` in the new directory `scratch`.
 * @throws StellaError usage with every bad record, unsafe, digest and registry for downloads, media
 */
export async function prepareRisk(
  profile: Profile,
  scratch: string,
  parts: RiskParts,
): Promise<Prepared> {
  const { sources, epoch, yieldToEventLoop: yieldToEventLoop } = parts;
  const privateFiles = parts.privateFiles.except(scratch);
  const local = [...localOriginals(profile), ...sources];
  refuseInside(scratch, local.map(({ path }) => path));
  // Before anything is read or fetched: what cannot be packed is not worth joining.
  const newest = local.length === 0
    ? earliestCreated
    : makePlan({ sources: local, builtin: [], privateFiles }).newest;
  const folders = { made: join(scratch, "made"), work: join(scratch, "work") };
  for (const path of [scratch, folders.made, folders.work]) mkdirSync(path, { mode: 0o700 });
  const providers = await present(profile, scratch, parts);
  const at = { directory: folders.made, scratch: folders.work };
  const time = epoch === undefined ? {} : { epoch };
  const report = await buildRisk({
    providers,
    ...at,
    ...time,
    newest,
    privateFiles,
    yieldToEventLoop: yieldToEventLoop,
  });
  const originals = providers.map((provider, i): FilesSource => ({
    path: provider.path,
    prefix: folderOf(provider),
    encodeNames: true,
    sha256: report.providers[i]!.sha256,
  }));
  const risk = report.providers.map(summary);
  return { sources: [{ path: folders.made }, ...originals], epoch: report.created, risk };
}

/** What the report of an export says of a provider. */
function summary(
  { name, kind, asOf, records, rejected, badIds, superseded, duplicates, links, unread }:
    ProviderReport,
): RiskSummary {
  const counts = { records, rejected, badIds, unread: unread.files, superseded, duplicates };
  return { name, kind, asOf, ...counts, links };
}

/** Providers with a name of their own: the second of a kind is `osv-2`. */
function named(profile: Profile): { name: string; config: ProviderConfig }[] {
  const count = new Map<string, number>();
  return (profile.providers ?? []).map((config) => {
    const { kind } = config;
    const nth = (count.get(kind) ?? 0) + 1;
    count.set(kind, nth);
    return { name: nth === 1 ? kind : `${kind}-${nth}`, config };
  });
}

/** The providers with a path each: what has a URL is downloaded. */
async function present(profile: Profile, scratch: string, parts: RiskParts): Promise<Provider[]> {
  const providers: Provider[] = [];
  for (const { name, config } of named(profile)) {
    const { kind, licence, asOf, onInvalid, maxRecordBytes, url } = config;
    const place = url === undefined
      ? { path: config.path! }
      : { path: await fetched(config, join(scratch, name), parts.network), url: bare(url) };
    providers.push({
      kind,
      name,
      onInvalid,
      ...place,
      ...(licence === undefined ? {} : { licence }),
      ...(asOf === undefined ? {} : { asOf }),
      ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
    });
  }
  return providers;
}

async function fetched(
  { url = "", sha256 = "", ca }: ProviderConfig,
  directory: string,
  network: DownloadOptions,
): Promise<string> {
  mkdirSync(directory, { mode: 0o700 });
  const to = join(directory, fileName(url));
  await download({ url, sha256, to, ...(ca === undefined ? {} : { ca }) }, network);
  // A downloaded file has no time of its own that a second export would find again.
  utimesSync(to, earliestCreated, earliestCreated);
  return to;
}

function fileName(url: string): string {
  const name = basename(new URL(url).pathname);
  if (pathFault(carriedName(name)) === undefined) return name;
  throw new StellaError("usage", `Cannot pack what is downloaded as ${JSON.stringify(name)}`, {
    hint: "give a URL that ends in a plain file name",
  });
}

/** Without the query, which may hold a secret. */
function bare(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
