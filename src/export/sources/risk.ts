/**
 * Prepares profiles of the kind risk: providers with a URL are downloaded, the data is joined, and
 * both are packed. The originals are packed from their place; packing checks that they are the same
 * bytes that were joined.
 */
import { mkdirSync, utimesSync } from "node:fs";
import { basename, join } from "node:path";
import { carriedName } from "../../bundle/carried_names.ts";
import { pathFault } from "../../domain/paths.ts";
import { earliestCreated } from "../../domain/time.ts";
import type { FilesSource, ProviderConfig } from "../../config/profile.ts";
import { StellaError } from "../../domain/errors.ts";
import { download, type DownloadOptions } from "../../net/download.ts";
import { buildRisk } from "../../risk/builder.ts";
import { folderOf, type Provider } from "../../risk/provider.ts";
import { planExport } from "../plan.ts";
import { type ProviderSummary, summaryOf } from "../report.ts";
import { egressOf, type ExportContext, type ExportSpec, localInputs } from "../spec.ts";

/** An export of risk data whose sources are files. */
export interface Prepared {
  readonly spec: ExportSpec;
  readonly risk: readonly ProviderSummary[];
}

/**
 * Builds the risk data of a specification in the new directory `scratch`.
 * @throws StellaError usage with every invalid record, unsafe, io; differs, remote for downloads
 */
export async function prepareRisk(
  asked: ExportSpec,
  scratch: string,
  context: ExportContext,
): Promise<Prepared> {
  const spec = { ...asked, privateFiles: asked.privateFiles.except(scratch) };
  // Before anything is read or downloaded: inputs that cannot be packed are not worth joining.
  const newest = localInputs(spec).length === 0 ? earliestCreated : planExport(spec).newest;
  const folders = { made: join(scratch, "made"), work: join(scratch, "work") };
  for (const path of [scratch, folders.made, folders.work]) mkdirSync(path, { mode: 0o700 });
  const providers = await present(spec, scratch, context);
  const { created, providers: reports } = await buildRisk({
    providers,
    directory: folders.made,
    scratch: folders.work,
    ...(spec.created === "newest" ? {} : { epoch: spec.created }),
    newest,
    privateFiles: spec.privateFiles,
    yieldToEventLoop: () => context.yieldToEventLoop(),
    elapsed: () => context.timing.now(),
  });
  const originals = providers.map((provider, i): FilesSource => ({
    path: provider.path,
    prefix: folderOf(provider),
    encodeNames: true,
    sha256: reports[i]!.sha256,
  }));
  const sources = [{ path: folders.made }, ...originals, ...spec.sources];
  const prepared = Object.freeze({ ...spec, providers: [], sources, created });
  return { spec: prepared, risk: reports.map(summaryOf) };
}

/** The providers with their local paths: those with a URL are downloaded. */
async function present(
  spec: ExportSpec,
  scratch: string,
  context: ExportContext,
): Promise<Provider[]> {
  const { timing, signal } = context;
  const network = { timing, signal, policy: egressOf(spec, context) };
  const providers: Provider[] = [];
  for (const config of spec.providers) {
    const { sha256: _, ca: __, url, path, ...rest } = config;
    const place = url === undefined
      ? { path: path! }
      : { path: await fetched(config, join(scratch, config.name), network), url: bare(url) };
    providers.push({ ...rest, ...place });
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
  // The mtime of a downloaded file would differ in a second export.
  utimesSync(to, earliestCreated, earliestCreated);
  return to;
}

function fileName(url: string): string {
  const name = basename(new URL(url).pathname);
  if (pathFault(carriedName(name)) === undefined) return name;
  const what = `Cannot pack the download as ${JSON.stringify(name)}`;
  throw new StellaError("name_invalid", what, {
    hint: "give a URL that ends in a plain file name",
  });
}

/** Without the query, which may contain a secret. */
function bare(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
