/** `stella jobs ...`: the exports of a running service, by its API. */
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { exportText, jobsTable } from "./jobs_table.ts";
import type { ServiceFlags } from "./options.ts";
import { exportFrom } from "./remote_export.ts";
import { asStellaError, errorFields } from "./render.ts";
import { objectOf, refusalOf, ServiceError } from "./service_answer.ts";
import { type Call, ServiceClient } from "./service_client.ts";

/** Bytes: 500 exports including their errors. */
const maxPageBytes = 4 * 1024 * 1024;
const maxLimit = "500";

interface Filter {
  readonly tenant?: string | undefined;
  readonly profile?: string | undefined;
  readonly state?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: string | undefined;
}

export async function listJobs(options: ServiceFlags & Filter, host: Host): Promise<Result> {
  const client = new ServiceClient(options, host);
  const { tenant, profile, state, cursor, limit } = options;
  const { items, exports, next } = await pageOf(client, { tenant, profile, state, cursor, limit });
  const more = next === null ? "" : `more: --cursor ${escaped(next)}\n`;
  return {
    json: { items, next },
    text: exports.length === 0
      ? "no exports\n"
      : jobsTable(exports, host.now(), host.columns()) + more,
  };
}

/** @throws StellaError not_found if the service does not know the export */
export async function showJob(id: string, options: ServiceFlags, host: Host): Promise<Result> {
  const path = `/v1/exports/${encodeURIComponent(id)}`;
  const answer = await new ServiceClient(options, host).call({ path });
  if (answer.status !== 200) throw refusalOf(answer, "run: stella jobs list, which shows the ids");
  const found = objectOf(answer);
  const known = exportFrom(found);
  if (known === undefined || known.id !== id) throw noExports(answer.url);
  return { json: { export: found }, text: exportText(known) };
}

function noExports(url: string): StellaError {
  return new StellaError("not_a_service", `${shown(url)} does not answer with an export`, {
    hint: "name a service of stella with --server",
  });
}

export async function retryJobs(
  ids: readonly string[],
  options: ServiceFlags,
  host: Host,
): Promise<Result> {
  return await forEachJob(options, host, ids, (id) => ({ method: "POST", path: `${id}/retry` }));
}

export async function cancelJobs(
  ids: readonly string[],
  options: ServiceFlags,
  host: Host,
): Promise<Result> {
  return await forEachJob(options, host, ids, (id) => ({ method: "POST", path: `${id}/cancel` }));
}

/** Removes the named exports, or all with a state; their bundles are removed too. */
export async function purgeJobs(
  ids: readonly string[],
  options: ServiceFlags & Filter,
  host: Host,
): Promise<Result> {
  const { state, profile, tenant } = options;
  if ((ids.length === 0) === (state === undefined)) {
    throw new StellaError(
      "argument_missing",
      "Cannot purge: name exports by their ids, or all by --state",
      { hint: "for example: stella jobs purge --state failed" },
    );
  }
  const found = state === undefined
    ? ids
    : await allIds(new ServiceClient(options, host), { state, profile, tenant });
  return await forEachJob(options, host, found, (path) => ({ method: "DELETE", path }));
}

/**
 * What became of several exports; one that is refused does not keep the others from being tried.
 */
interface Outcomes {
  items: Record<string, unknown>[];
  refused: { id: string; error: StellaError }[];
  skipped: readonly string[];
}

async function forEachJob(
  flags: ServiceFlags,
  host: Host,
  ids: readonly string[],
  callFor: (id: string) => Call,
): Promise<Result> {
  const client = new ServiceClient(flags, host);
  const outcomes: Outcomes = { items: [], refused: [], skipped: [] };
  const { items, refused } = outcomes;
  for (const [i, id] of ids.entries()) {
    try {
      items.push(await act(client, id, callFor(encodeURIComponent(id))));
    } catch (thrown) {
      const error = asStellaError(thrown);
      const isLast = isGlobalFailure(error);
      if (ids.length === 1 || (isLast && i === 0)) throw error;
      refused.push({ id, error });
      if (!isLast) continue;
      outcomes.skipped = ids.slice(i + 1);
      break;
    }
  }
  return resultOf(outcomes);
}

async function act(client: ServiceClient, id: string, call: Call) {
  const answer = await client.call({ ...call, path: `/v1/exports/${call.path}` });
  if (answer.status >= 300) throw refusalOf(answer);
  return answer.status === 204 ? { id, state: "removed" } : objectOf(answer);
}

/**
 * Nobody answers, the token is refused, or the user interrupts: the next would end the same way.
 */
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
  const json = { items, ...code === 0 ? {} : refusals(refused, skipped) };
  return {
    code,
    json,
    text: lines.length === 0 ? "no exports\n" : lines.map(escapedLine).join(""),
  };
}

function refusals(refused: Outcomes["refused"], skipped: readonly string[]) {
  return {
    refused: refused.map(({ id, error }) => ({
      id,
      code: error.exitCode,
      error: errorFields(error),
    })),
    untried: skipped,
  };
}

async function allIds(client: ServiceClient, filter: Filter): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const { exports, next } = await pageOf(client, { ...filter, cursor, limit: maxLimit });
    ids.push(...exports.map(({ id }) => id));
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return ids;
}

/** @returns the exports as sent by the service, and parsed */
async function pageOf(client: ServiceClient, query: Filter) {
  const given = Object.entries(query).flatMap(([name, value]) =>
    typeof value === "string" ? [[name, value]] : []
  );
  const path = `/v1/exports?${new URLSearchParams(given)}`;
  const answer = await client.call({ path }, maxPageBytes);
  if (answer.status !== 200) throw refusalOf(answer);
  const { items, next } = objectOf(answer);
  if (!Array.isArray(items)) throw noExports(answer.url);
  const exports = items.map((one) => {
    const known = exportFrom(one);
    if (known === undefined) throw noExports(answer.url);
    return known;
  });
  return { items, exports, next: typeof next === "string" ? next : null };
}

function escapedLine(line: string): string {
  return escaped(line.trimEnd()) + "\n";
}
