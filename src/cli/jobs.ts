/** `stella jobs ...`: the exports of a running service, by its API. */
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { exportText, jobsTable } from "./jobs_table.ts";
import type { RemoteExport } from "./remote_export.ts";
import { asStellaError } from "./render.ts";
import { objectOf, refusalOf, ServiceError } from "./service_answer.ts";
import { type Call, ServiceClient, type ServiceFlags } from "./service_client.ts";

export interface JobsOptions extends CommonOptions, ServiceFlags {
  tenant?: string;
  profile?: string;
  state?: string;
  cursor?: string;
  limit: string;
}

export interface PurgeOptions extends CommonOptions, ServiceFlags {
  state?: string;
  profile?: string;
  tenant?: string;
}

/** Bytes: 500 exports with room for what went wrong. */
const largestPage = 4 * 1024 * 1024;
const largestLimit = "500";

export async function listCommand(options: JobsOptions, host: Host): Promise<Result> {
  const client = new ServiceClient(options, host);
  const { tenant, profile, state, cursor, limit } = options;
  const { items, next } = await pageOf(client, { tenant, profile, state, cursor, limit });
  const more = next === null ? "" : `more: --cursor ${escaped(next)}\n`;
  return {
    code: 0,
    json: { ok: true, code: 0, items, next },
    text: items.length === 0 ? "no exports\n" : jobsTable(items, host.now(), host.columns()) + more,
  };
}

/** @throws StellaError not_found where the service knows no such export */
export async function showCommand(
  options: CommonOptions & ServiceFlags,
  host: Host,
  [id = ""]: string[],
): Promise<Result> {
  const answer = await new ServiceClient(options, host).call({
    path: `/v1/exports/${encodeURIComponent(id)}`,
  });
  if (answer.status !== 200) throw refusalOf(answer, "the ids are those of `stella jobs list`");
  const found = objectOf(answer) as unknown as RemoteExport;
  if (found.id !== id || typeof found.state !== "string") {
    throw new StellaError("registry", `${shown(answer.url)} does not answer with an export`, {
      hint: "name a service of stella with --url",
    });
  }
  return { code: 0, json: { ok: true, code: 0, export: found }, text: exportText(found) };
}

export async function retryCommand(
  options: JobsOptions,
  host: Host,
  ids: string[],
): Promise<Result> {
  return await onEach(options, host, ids, (id) => ({ method: "POST", path: `${id}/retry` }));
}

export async function cancelCommand(
  options: JobsOptions,
  host: Host,
  ids: string[],
): Promise<Result> {
  return await onEach(options, host, ids, (id) => ({ method: "POST", path: `${id}/cancel` }));
}

/** Removes what is named, or all that ended so; bundles go with their exports. */
export async function purgeCommand(
  options: PurgeOptions,
  host: Host,
  ids: string[],
): Promise<Result> {
  const { state, profile, tenant } = options;
  if ((ids.length === 0) === (state === undefined)) {
    throw new StellaError("usage", "Cannot purge: name exports by their ids, or all by --state", {
      hint: "for example: stella jobs purge --state failed",
    });
  }
  const found = state === undefined
    ? ids
    : await allIds(new ServiceClient(options, host), { state, profile, tenant });
  return await onEach(options, host, found, (path) => ({ method: "DELETE", path }));
}

/** What became of several exports; one that is refused does not keep the others from being tried. */
interface Outcomes {
  items: Record<string, unknown>[];
  refused: { id: string; error: StellaError }[];
  untried: readonly string[];
}

async function onEach(
  flags: CommonOptions & ServiceFlags,
  host: Host,
  ids: readonly string[],
  callFor: (id: string) => Call,
): Promise<Result> {
  const client = new ServiceClient(flags, host);
  const outcomes: Outcomes = { items: [], refused: [], untried: [] };
  const { items, refused } = outcomes;
  for (const [i, id] of ids.entries()) {
    try {
      items.push(await act(client, id, callFor(encodeURIComponent(id))));
    } catch (thrown) {
      const error = asStellaError(thrown);
      const isLast = concernsAll(error);
      if (ids.length === 1 || (isLast && i === 0)) throw error;
      refused.push({ id, error });
      if (!isLast) continue;
      outcomes.untried = ids.slice(i + 1);
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

/** Nobody answers, the token does not do, or the user wants no more: the next one would end the same way. */
function concernsAll(error: StellaError): boolean {
  if (!(error instanceof ServiceError)) return true;
  return error.status === undefined || error.status === 401 || error.status === 403;
}

/** The exit code is that of the first refusal. */
function resultOf({ items, refused, untried }: Outcomes): Result {
  const code = refused[0]?.error.exitCode ?? 0;
  const hints = new Set(refused.flatMap(({ error }) => error.hint ?? []));
  const lines = [
    ...items.map(({ id, state }) => `${id}  ${state}`),
    ...refused.map(({ id, error }) => `${id}  refused: ${error.message} (code ${error.exitCode})`),
    ...untried.map((id) => `${id}  not tried`),
    ...[...hints].map((hint) => `hint:  ${hint}`),
  ];
  const json = { ok: code === 0, code, items, ...(code === 0 ? {} : refusals(refused, untried)) };
  return {
    code,
    json,
    text: lines.length === 0 ? "no exports\n" : lines.map(escapedLine).join(""),
  };
}

function refusals(refused: Outcomes["refused"], untried: readonly string[]) {
  return {
    refused: refused.map(({ id, error: { exitCode, message, hint } }) => ({
      id,
      code: exitCode,
      error: { message, ...(hint === undefined ? {} : { hint }) },
    })),
    untried,
  };
}

async function allIds(
  client: ServiceClient,
  filter: Record<string, string | undefined>,
): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const { items, next } = await pageOf(client, { ...filter, cursor, limit: largestLimit });
    ids.push(...items.map(({ id }) => id));
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return ids;
}

async function pageOf(client: ServiceClient, query: Record<string, string | undefined>) {
  const given = Object.entries(query).filter((one): one is [string, string] =>
    one[1] !== undefined
  );
  const path = `/v1/exports?${new URLSearchParams(given)}`;
  const answer = await client.call({ path }, largestPage);
  if (answer.status !== 200) throw refusalOf(answer);
  const { items, next } = objectOf(answer);
  return { items: items as RemoteExport[], next: next as string | null };
}

function escapedLine(line: string): string {
  return escaped(line.trimEnd()) + "\n";
}
