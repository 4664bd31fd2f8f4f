/** `stella jobs ...`: the exports of a running service, by its API. */
import { StellaError } from "../domain/errors.ts";
import { escaped } from "../domain/names.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { exportText, jobsTable } from "./jobs_table.ts";
import type { ServiceFlags } from "./options.ts";
import { exportFrom, type RemoteExport } from "./remote_export.ts";
import { asStellaError, errorFields } from "./render.ts";
import { notAService, ServiceError } from "./service_answer.ts";
import { type Page, type Query, ServiceClient } from "./service_client.ts";

const maxLimit = "500";

type Filter = { readonly [K in "tenant" | "profile" | "state"]?: string | undefined };

export async function listJobs(
  { tenant, profile, state, cursor, limit, ...flags }:
    & ServiceFlags
    & Filter
    & { readonly cursor?: string | undefined; readonly limit: string },
  host: Host,
): Promise<Result> {
  const client = new ServiceClient(flags, host);
  const { items, parsed, next } = await pageOf(client, { tenant, profile, state, cursor, limit });
  const more = next === null ? "" : `more: --cursor ${escaped(next)}\n`;
  return {
    json: { items, next },
    text: parsed.length === 0
      ? "no exports\n"
      : jobsTable(parsed, host.now(), host.columns()) + more,
  };
}

/** @throws StellaError not_found if the service does not know the export */
export async function showJob(id: string, options: ServiceFlags, host: Host): Promise<Result> {
  const client = new ServiceClient(options, host);
  const path = `/v1/exports/${encodeURIComponent(id)}`;
  const found = await client.ask({ path }, "run: stella jobs list, which shows the ids");
  const known = exportFrom(found);
  if (known?.id !== id) throw notAService(client.url, anExport);
  return { json: { export: found }, text: exportText(known) };
}

/** Removes the named exports, or all with a state; their bundles are removed too. */
export async function purgeJobs(
  ids: readonly string[],
  { state, profile, tenant, ...flags }: ServiceFlags & Filter,
  host: Host,
): Promise<Result> {
  if ((ids.length === 0) === (state === undefined)) {
    const what = "Cannot purge: name exports by their ids, or all by --state";
    throw new StellaError("argument_missing", what, {
      hint: "for example: stella jobs purge --state failed",
    });
  }
  const client = new ServiceClient(flags, host);
  const found = state === undefined ? ids : await allIds(client, { state, profile, tenant });
  return await forEachJob(found, async (path, id) => {
    await client.ask({ method: "DELETE", path });
    return { id, state: "removed" };
  });
}

export function retryJobs(ids: readonly string[], options: ServiceFlags, host: Host) {
  return changeJobs("retry", ids, options, host);
}

export function cancelJobs(ids: readonly string[], options: ServiceFlags, host: Host) {
  return changeJobs("cancel", ids, options, host);
}

async function changeJobs(
  action: "retry" | "cancel",
  ids: readonly string[],
  options: ServiceFlags,
  host: Host,
): Promise<Result> {
  const client = new ServiceClient(options, host);
  const act = (path: string) => client.ask({ method: "POST", path: `${path}/${action}` });
  return await forEachJob(ids, act);
}

/** What became of several exports; a refused one does not keep the others from being tried. */
interface Outcomes {
  items: Record<string, unknown>[];
  refused: { id: string; error: StellaError }[];
  skipped: readonly string[];
}

/** @param act on the export with this path and id; returns what it is now */
async function forEachJob(
  ids: readonly string[],
  act: (path: string, id: string) => Promise<Record<string, unknown>>,
): Promise<Result> {
  const outcomes: Outcomes = { items: [], refused: [], skipped: [] };
  for (const [i, id] of ids.entries()) {
    try {
      outcomes.items.push(await act(`/v1/exports/${encodeURIComponent(id)}`, id));
    } catch (thrown) {
      const error = asStellaError(thrown);
      const isLast = isGlobalFailure(error);
      if (ids.length === 1 || (isLast && i === 0)) throw error;
      outcomes.refused.push({ id, error });
      if (!isLast) continue;
      outcomes.skipped = ids.slice(i + 1);
      break;
    }
  }
  return resultOf(outcomes);
}

/** No response, a refused token or an interruption: the next one would end in the same way. */
function isGlobalFailure(error: StellaError): boolean {
  if (!(error instanceof ServiceError)) return true;
  return error.status === undefined || error.status === 401 || error.status === 403;
}

/** The exit code is that of the first refusal. */
function resultOf({ items, refused, skipped }: Outcomes): Result {
  const code = refused[0]?.error.exitCode ?? 0;
  const hints = new Set(refused.flatMap(({ error }) => error.hint ?? []));
  const lines = [
    ...items.map(({ id, state }) => `${id}  ${state}`),
    ...refused.map(({ id, error }) => `${id}  refused: ${error.message} (code ${error.exitCode})`),
    ...skipped.map((id) => `${id}  not tried`),
    ...[...hints].map((hint) => `hint:  ${hint}`),
  ];
  const refusals = refused.map(({ id, error }) => ({
    id,
    code: error.exitCode,
    error: errorFields(error),
  }));
  return {
    code,
    json: { items, ...code === 0 ? {} : { refused: refusals, untried: skipped } },
    text: lines.length === 0 ? "no exports\n" : lines.map((one) => `${escaped(one)}\n`).join(""),
  };
}

async function allIds(client: ServiceClient, filter: Filter): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const { parsed, next } = await pageOf(client, { ...filter, cursor, limit: maxLimit });
    ids.push(...parsed.map(({ id }) => id));
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return ids;
}

const anExport = "an export";

function pageOf(client: ServiceClient, query: Query): Promise<Page<RemoteExport>> {
  return client.page("/v1/exports", query, { parse: exportFrom, what: anExport });
}
