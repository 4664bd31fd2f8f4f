/**
 * `stella timeline`: the events of a running service in the order of their times, for people and as
 * the API gives them.
 */
import { setTimeout } from "node:timers/promises";
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import { interrupted } from "./breathe.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { findingsOf } from "./remote_export.ts";
import { findingLine } from "./render.ts";
import { objectOf, refusalOf } from "./service_answer.ts";
import { ServiceClient } from "./service_client.ts";

export interface TimelineOptions extends CommonOptions {
  url?: string;
  tokenFile?: string;
  ca?: string;
  tenant?: string;
  export?: string;
  event?: string;
  after?: string;
  before?: string;
  /** The last events instead of the first ones. */
  newest?: boolean;
  /** Goes on with what happens from now on. */
  follow?: boolean;
  limit: string;
}

interface Event {
  id: string;
  time: string;
  exportId: string;
  profile: string;
  stage: string;
  attributes: Record<string, unknown>;
}

interface Page {
  /** The earlier one first. */
  items: Event[];
  next: string | null;
}

/** Bytes: 500 events with room for their attributes. */
const largestPage = 4 * 1024 * 1024;

const idsHint = "the ids are those that the exports API and the timeline itself show";

/** Milliseconds between two questions of --follow. */
const followPause = 1_000;

/**
 * @throws StellaError usage where the service refuses the question, registry where nobody answers,
 * not_found for an export that nothing is known of
 */
export async function timelineCommand(
  options: TimelineOptions,
  host: Host,
  [named]: string[] = [],
  pause = followPause,
): Promise<Result> {
  const asked = named === undefined ? options : { ...options, export: exportOf(named, options) };
  if (asked.follow === true && (asked.json === true || asked.event !== undefined)) {
    throw new StellaError("usage", "Cannot follow with --json or --event: the output has no end", {
      hint: "ask again with --after and the id of the last event",
    });
  }
  const client = new ServiceClient(asked, host);
  const page = await pageOf(client, asked);
  if (page.items.length === 0) await refuseUnknown(client, asked);
  if (asked.follow === true) return await follow(client, asked, page, host, pause);
  const { items, next } = page;
  return {
    code: 0,
    json: { ok: true, code: 0, items, next },
    text: items.length === 0 ? "no events\n" : textOf(items, asked) + more(next, asked),
  };
}

function exportOf(named: string, options: TimelineOptions): string {
  if (options.export === undefined || options.export === named) return named;
  throw new StellaError("usage", "Cannot show the timeline of two exports at once", {
    hint: "name one of them",
  });
}

async function pageOf(client: ServiceClient, options: TimelineOptions): Promise<Page> {
  const answer = await client.call({ path: pathOf(options) }, largestPage);
  const { status } = answer;
  if (status !== 200) {
    throw refusalOf(answer, status === 400 || status === 404 ? idsHint : undefined);
  }
  const body = objectOf(answer);
  if (options.event !== undefined) return { items: [body as unknown as Event], next: null };
  const { items, next } = body as unknown as Page;
  return { items: options.newest === true ? items.toReversed() : items, next };
}

function pathOf({ tenant, event, ...options }: TimelineOptions): string {
  const { export: exportId, after, before, newest, limit } = options;
  const first = newest === true ? "newest" : undefined;
  const asked = event === undefined
    ? { tenant, exportId, after, before, first, limit }
    : { tenant };
  const given = Object.entries(asked).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]]
  );
  const one = event === undefined ? "" : `/${encodeURIComponent(event)}`;
  return `/v1/timeline${one}?${new URLSearchParams(given)}`;
}

/**
 * Nothing after some event is an answer; nothing at all of an export is not, unless the service
 * knows it.
 */
async function refuseUnknown(client: ServiceClient, options: TimelineOptions): Promise<void> {
  const { export: id, after, before } = options;
  if (id === undefined || after !== undefined || before !== undefined) return;
  const { status } = await client.call({ path: `/v1/exports/${encodeURIComponent(id)}` });
  if (status !== 404) return;
  throw new StellaError("not_found", `Cannot show the timeline of ${shown(id)}: no such export`, {
    hint: "list the exports with `stella jobs list`, or name the tenant with --tenant",
  });
}

/**
 * Writes events as they come, until the one export that was asked for has ended.
 * @throws StellaError interrupted
 */
async function follow(
  client: ServiceClient,
  options: TimelineOptions,
  first: Page,
  host: Host,
  pause: number,
): Promise<Result> {
  let { items } = first;
  let last = options.after;
  let isEnded = false;
  for (;;) {
    host.stdout(textOf(items, options));
    last = items.at(-1)?.id ?? last;
    isEnded = items.reduce((ended, { stage }) => isEnd[stage] ?? ended, isEnded);
    const isFull = items.length === Number(options.limit);
    if (options.export !== undefined && isEnded && !isFull) {
      return { code: 0, json: {}, text: "" };
    }
    if (!isFull) await setTimeout(pause, undefined, { signal: host.stop }).catch(stopped);
    const { newest: _, before: __, ...rest } = options;
    ({ items } = await pageOf(client, { ...rest, ...(last === undefined ? {} : { after: last }) }));
  }
}

/** Stages after which an export has ended, until somebody retries it. */
const isEnd: Readonly<Partial<Record<string, boolean>>> = {
  succeeded: true,
  failed: true,
  cancelled: true,
  queued: false,
  started: false,
};

function stopped(): never {
  throw interrupted();
}

/** What all lines would say in the same way is left out. */
function textOf(items: readonly Event[], options: TimelineOptions): string {
  return items.map((event) => eventText(event, options.export !== undefined)).join("");
}

/** What was found is listed below the event that ended the export. */
function eventText({ time, exportId, profile, stage, attributes }: Event, isOne: boolean): string {
  const { findings, ...error } = (attributes["error"] ?? {}) as { findings?: unknown };
  const told = findings === undefined ? attributes : { ...attributes, error };
  const details = Object.entries(told).map(([name, value]) =>
    `${name}=${typeof value === "string" ? value : JSON.stringify(shortened(value))}`
  );
  const of = isOne ? [] : [exportId, profile];
  const line = escaped([time, ...of, stage, ...details].join("  "));
  return `${line}\n${findingsOf({ findings }).map(findingLine).join("")}`;
}

/** Seconds to the millisecond; whole numbers are as they were. */
function shortened(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toFixed(3)) : value;
}

function more(next: string | null, { newest }: TimelineOptions): string {
  if (typeof next !== "string") return "";
  return newest === true
    ? `more: --newest --before ${escaped(next)}\n`
    : `more: --after ${escaped(next)}\n`;
}
