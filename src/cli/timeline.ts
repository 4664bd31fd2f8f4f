/** `stella timeline`: the events of a running service, oldest first, for people and as the API gives them. */
import { StellaError } from "../errors.ts";
import { escaped, shown } from "../bundle/names.ts";
import { askService } from "./ask_service.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";

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

/** @throws StellaError usage where the service refuses the question, internal where nobody answers */
export async function timelineCommand(options: TimelineOptions, host: Host): Promise<Result> {
  const { url, status, text } = await askService(options, pathOf(options), host, largestPage);
  const body = bodyOf(text);
  if (status !== 200) throw refused(url, status, body);
  const page = options.event === undefined ? body : { items: [body], next: null };
  const items = page["items"] as Event[];
  return {
    code: 0,
    json: { ok: true, code: 0, items, next: page["next"] },
    text: items.length === 0 ? "no event\n" : items.map(lineOf).join("") + more(page["next"]),
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

function bodyOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function refused(url: string, status: number, body: Record<string, unknown>): StellaError {
  const errors = (body["errors"] ?? []) as { path: string; message: string }[];
  const faults = errors.map(({ path, message }) => `${path} ${message}`);
  const detail = [body["detail"], ...faults].filter((one) => one !== undefined).join("; ");
  return new StellaError("usage", `${shown(url)} answers ${status}: ${detail}`, {
    hint: "the ids are those that the exports API and the timeline itself show",
  });
}

function lineOf({ time, exportId, profile, stage, attributes }: Event): string {
  const details = Object.entries(attributes).map(([name, value]) =>
    `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  return escaped([time, exportId, profile, stage, ...details].join("  ")) + "\n";
}

function more(next: unknown): string {
  return typeof next === "string" ? `more: --after ${escaped(next)}\n` : "";
}
