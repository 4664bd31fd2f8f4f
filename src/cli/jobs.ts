/** `stella jobs ...`: the exports of a running service, by its API. */
import { StellaError } from "../errors.ts";
import { escaped } from "../bundle/names.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import {
  type Call,
  objectOf,
  refusalOf,
  ServiceClient,
  type ServiceFlags,
} from "./service_client.ts";

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

interface Shown {
  id: string;
  state: string;
  profile: string;
  tenant: string;
  bundleDigest: string | null;
  error: { code: string; message: string } | null;
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
    text: items.length === 0 ? "no export\n" : items.map(lineOf).join("") + more,
  };
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

async function onEach(
  flags: CommonOptions & ServiceFlags,
  host: Host,
  ids: readonly string[],
  callFor: (id: string) => Call,
): Promise<Result> {
  const client = new ServiceClient(flags, host);
  const items = [];
  for (const id of ids) {
    const call = callFor(encodeURIComponent(id));
    const answer = await client.call({ ...call, path: `/v1/exports/${call.path}` });
    if (answer.status >= 300) throw refusalOf(answer);
    items.push(answer.status === 204 ? { id, state: "removed" } : objectOf(answer));
  }
  const text = items.map((item) => `${item["id"]}  ${item["state"]}\n`).map(escapedLine).join("");
  return { code: 0, json: { ok: true, code: 0, items }, text: text === "" ? "no export\n" : text };
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
  return { items: items as Shown[], next: next as string | null };
}

function lineOf({ id, state, profile, tenant, bundleDigest, error }: Shown): string {
  const asked = new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString();
  const end = error === null ? bundleDigest ?? "" : `${error.code}: ${error.message}`;
  return escapedLine(`${id}  ${asked}  ${state.padEnd(9)}  ${tenant}  ${profile}  ${end}\n`);
}

function escapedLine(line: string): string {
  return escaped(line.trimEnd()) + "\n";
}
