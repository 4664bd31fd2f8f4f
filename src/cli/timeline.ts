/** `stella timeline`: the events of a running service in the order of their times. */
import { isObject } from "../domain/json.ts";
import { setTimeout } from "node:timers/promises";
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { CommonFlags, Result } from "./command.ts";
import { interrupted } from "./event_loop.ts";
import type { Host } from "./host.ts";
import { findingsFrom } from "./remote_export.ts";
import { findingLine } from "./render.ts";
import { notAService } from "./service_answer.ts";
import { type Page, queryText, ServiceClient } from "./service_client.ts";
import type { TimelineFlags } from "./timeline_options.ts";

interface Event {
  id: string;
  time: string;
  exportId: string;
  profile: string;
  stage: string;
  attributes: Record<string, unknown>;
}

const hint = "use an id that the exports API or the timeline itself shows";

/** Milliseconds between two questions of --follow. */
const followPause = 1_000;

/** @param of the export @throws StellaError usage, remote, not_found */
export async function showTimeline(
  of: string | undefined,
  options: TimelineFlags & CommonFlags,
  host: Host,
  pause = followPause,
): Promise<Result> {
  const asked = { ...options, export: of };
  if (asked.follow === true && (asked.json === true || asked.event !== undefined)) {
    const what = "Cannot follow with --json or --event: the output has no end";
    throw new StellaError("options_conflict", what, {
      hint: "run the command again with --after and the id of the last event",
    });
  }
  const client = new ServiceClient(asked, host);
  const page = await pageOf(client, asked);
  const { items, parsed, next } = page;
  if (parsed.length === 0) await refuseUnknown(client, asked);
  if (asked.follow === true) return await follow(client, asked, parsed, host, pause);
  return {
    json: { items, next },
    text: parsed.length === 0 ? "no events\n" : textOf(parsed, asked) + more(next, asked),
  };
}

/** The earlier event first. */
async function pageOf(client: ServiceClient, options: TimelineFlags): Promise<Page<Event>> {
  const { tenant, event, export: exportId, after, before, newest, limit } = options;
  const of = { parse: eventFrom, what: "events", hint };
  if (event !== undefined) return await oneEvent(client, event, tenant);
  const first = newest === true ? "newest" : undefined;
  const query = { tenant, exportId, after, before, first, limit };
  const { items, parsed, next } = await client.page("/v1/timeline", query, of);
  return newest === true
    ? { items: items.toReversed(), parsed: parsed.toReversed(), next }
    : { items, parsed, next };
}

async function oneEvent(
  client: ServiceClient,
  id: string,
  tenant: string | undefined,
): Promise<Page<Event>> {
  const path = `/v1/timeline/${encodeURIComponent(id)}?${queryText({ tenant })}`;
  const item = await client.ask({ path }, hint);
  const event = eventFrom(item);
  if (event === undefined) throw notAService(client.url, "an event");
  return { items: [item], parsed: [event], next: null };
}

function eventFrom(value: unknown): Event | undefined {
  if (!isObject(value)) return undefined;
  const { id, time, exportId, profile, stage, attributes } = value;
  const texts = { id, time, exportId, profile, stage };
  return areTexts(texts)
    ? { ...texts, attributes: isObject(attributes) ? attributes : {} }
    : undefined;
}

function areTexts<K extends string>(values: Record<K, unknown>): values is Record<K, string> {
  return Object.values(values).every((one) => typeof one === "string");
}

/** That there are no events is an answer, unless the service does not know the export. */
async function refuseUnknown(client: ServiceClient, options: TimelineFlags): Promise<void> {
  const { export: id, after, before } = options;
  if (id === undefined || after !== undefined || before !== undefined) return;
  const { status } = await client.call({ path: `/v1/exports/${encodeURIComponent(id)}` });
  if (status !== 404) return;
  throw new StellaError("not_found", `Cannot show the timeline of ${shown(id)}: no such export`, {
    hint: "list the exports with `stella jobs list`, or name the tenant with --tenant",
  });
}

/** Writes events as they come, until the one export has ended. @throws StellaError interrupted */
async function follow(
  client: ServiceClient,
  options: TimelineFlags,
  first: readonly Event[],
  host: Host,
  pause: number,
): Promise<Result> {
  let events = first;
  let last = options.after;
  let isEnded = false;
  for (;;) {
    host.stdout(textOf(events, options));
    last = events.at(-1)?.id ?? last;
    isEnded = events.reduce((ended, { stage }) => isEnd[stage] ?? ended, isEnded);
    const isFull = events.length === Number(options.limit);
    if (options.export !== undefined && isEnded && !isFull) return { json: {}, text: "" };
    if (!isFull) await setTimeout(pause, undefined, { signal: host.stop }).catch(stopped);
    const { newest: _, before: __, ...rest } = options;
    events = (await pageOf(client, { ...rest, after: last })).parsed;
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
function textOf(events: readonly Event[], options: TimelineFlags): string {
  return events.map((event) => eventText(event, options.export !== undefined)).join("");
}

/** Findings are listed below the event that ended the export. */
function eventText({ time, exportId, profile, stage, attributes }: Event, isOne: boolean): string {
  const { findings, ...error } = isObject(attributes["error"]) ? attributes["error"] : {};
  const told = findings === undefined ? attributes : { ...attributes, error };
  const details = Object.entries(told).map(([name, value]) =>
    `${name}=${typeof value === "string" ? value : JSON.stringify(shortened(value))}`
  );
  const of = isOne ? [] : [exportId, profile];
  const line = escaped([time, ...of, stage, ...details].join("  "));
  return `${line}\n${findingsFrom(findings).map(findingLine).join("")}`;
}

/** Seconds to the millisecond; whole numbers are as they were. */
function shortened(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toFixed(3)) : value;
}

function more(next: string | null, { newest }: TimelineFlags): string {
  if (next === null) return "";
  return `more: ${newest === true ? "--newest --before" : "--after"} ${escaped(next)}\n`;
}
