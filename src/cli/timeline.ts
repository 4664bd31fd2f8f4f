/** `stella timeline`: the events of a running service, oldest first, for people and as the API gives them. */
import { escaped } from "../bundle/names.ts";
import { askService } from "./ask_service.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { findingsOf } from "./remote_export.ts";
import { findingLine } from "./render.ts";
import { objectOf, refusalOf } from "./service_answer.ts";

export interface TimelineOptions extends CommonOptions {
  url?: string;
  tokenFile?: string;
  ca?: string;
  tenant?: string;
  export?: string;
  event?: string;
  after?: string;
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

/** Bytes: 500 events with room for their attributes. */
const largestPage = 4 * 1024 * 1024;

const idsHint = "the ids are those that the exports API and the timeline itself show";

/** @throws StellaError usage where the service refuses the question, registry where nobody answers */
export async function timelineCommand(options: TimelineOptions, host: Host): Promise<Result> {
  const answer = await askService(options, pathOf(options), host, largestPage);
  const { status } = answer;
  if (status !== 200) {
    throw refusalOf(answer, status === 400 || status === 404 ? idsHint : undefined);
  }
  const body = objectOf(answer);
  const page = options.event === undefined ? body : { items: [body], next: null };
  const items = page["items"] as Event[];
  return {
    code: 0,
    json: { ok: true, code: 0, items, next: page["next"] },
    text: items.length === 0 ? "no event\n" : items.map(textOf).join("") + more(page["next"]),
  };
}

function pathOf({ tenant, export: exportId, event, after, limit }: TimelineOptions): string {
  const asked = event === undefined ? { tenant, exportId, after, limit } : { tenant };
  const given = Object.entries(asked).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]]
  );
  const one = event === undefined ? "" : `/${encodeURIComponent(event)}`;
  return `/v1/timeline${one}?${new URLSearchParams(given)}`;
}

/** What was found is listed below the event that ended the export. */
function textOf({ time, exportId, profile, stage, attributes }: Event): string {
  const { findings, ...error } = (attributes["error"] ?? {}) as { findings?: unknown };
  const shown = findings === undefined ? attributes : { ...attributes, error };
  const details = Object.entries(shown).map(([name, value]) =>
    `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  const line = escaped([time, exportId, profile, stage, ...details].join("  "));
  return `${line}\n${findingsOf({ findings }).map(findingLine).join("")}`;
}

function more(next: unknown): string {
  return typeof next === "string" ? `more: --after ${escaped(next)}\n` : "";
}
