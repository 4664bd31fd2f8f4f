/**
 * An export as reported by a running service. The response is untrusted: a field is used only if it
 * has its type.
 */
import { isObject } from "../domain/json.ts";
import { type Finding, kindNamed, reasonNamed, StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { LeftOutCounts } from "./export_result.ts";
import { objectOf } from "./service_answer.ts";
import type { ServiceClient } from "./service_client.ts";

export interface RemoteExport {
  id: string;
  state: string;
  profile: string;
  tenant: string;
  /** What asked for it: api, schedule or cli. Older services do not say this and what follows. */
  trigger: string | undefined;
  /** Name of the token that requested it. */
  actor: string | undefined;
  createdAt: string | undefined;
  startedAt: string | undefined;
  endedAt: string | undefined;
  seconds: number | undefined;
  attempts: number | undefined;
  bytes: number | undefined;
  files: number | undefined;
  sameAs: string | undefined;
  bundleDigest: string | undefined;
  error: RemoteError | undefined;
}

export interface RemoteError {
  code: string;
  reason: string | undefined;
  message: string;
  hint: string | undefined;
  findings: Finding[];
}

/** Undefined if it is not an export. */
export function exportFrom(value: unknown): RemoteExport | undefined {
  if (!isObject(value)) return undefined;
  const { id, state } = value;
  if (typeof id !== "string" || typeof state !== "string") return undefined;
  const text = (name: string) => textOf(value[name]);
  const count = (name: string) => typeof value[name] === "number" ? value[name] : undefined;
  return {
    id,
    state,
    profile: text("profile") ?? "",
    tenant: text("tenant") ?? "",
    trigger: text("trigger"),
    actor: text("actor"),
    createdAt: text("createdAt"),
    startedAt: text("startedAt"),
    endedAt: text("endedAt"),
    seconds: count("seconds"),
    attempts: count("attempts"),
    bytes: count("bytes"),
    files: count("files"),
    sameAs: text("sameAs"),
    bundleDigest: text("bundleDigest"),
    error: errorFrom(value["error"]),
  };
}

function errorFrom(value: unknown): RemoteError | undefined {
  if (!isObject(value)) return undefined;
  return {
    code: textOf(value["code"]) ?? "",
    reason: textOf(value["reason"]),
    message: textOf(value["message"]) ?? "",
    hint: textOf(value["hint"]),
    findings: findingsFrom(value["findings"]),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function hasEnded({ state }: Pick<RemoteExport, "state">): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

/** The error of a command for an export that failed. */
export function failureOf({ id, state, error }: RemoteExport): StellaError {
  const what = `The export ${shown(id)} ${state === "failed" ? "failed" : `is ${escaped(state)}`}`;
  const text = error === undefined ? what : `${what}: ${error.message}`;
  if (state === "cancelled") return new StellaError("cancelled", text);
  const { code, reason, hint, findings } = error ?? {};
  const kind = kindNamed(code) ?? "defect";
  return new StellaError(reasonNamed(reason) ?? "other", text, { kind, hint, findings });
}

/** The service's findings; invalid ones are dropped. */
export function findingsFrom(given: unknown): Finding[] {
  return Array.isArray(given) ? given.flatMap(findingFrom) : [];
}

function findingFrom(value: unknown): Finding[] {
  if (!isObject(value)) return [];
  const { line, range } = value;
  const texts = ["path", "found", "expected", "hint"].flatMap((name) =>
    typeof value[name] === "string" ? [[name, value[name]]] : []
  );
  return [{
    kind: kindNamed(value["code"]) ?? "defect",
    reason: reasonNamed(value["reason"]) ?? "other",
    ...Object.fromEntries(texts),
    ...typeof line === "number" ? { line } : {},
    ...isRange(range) ? { range } : {},
  }];
}

function isRange(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 &&
    value.every((one) => typeof one === "number");
}

/** What a service left out of an export, according to its timeline. */
export interface LeftOutReport {
  /** Of risk data alone. */
  leftOut?: LeftOutCounts;
  /** Absent if the service does not report it, as in earlier versions. */
  emptyDirectoryCount?: number;
}

/** Empty if the timeline cannot be read: the export succeeded anyway. */
export async function fetchLeftOut(
  client: ServiceClient,
  { id, tenant }: Pick<RemoteExport, "id" | "tenant">,
): Promise<LeftOutReport> {
  const asked = new URLSearchParams({ exportId: id, tenant, first: "newest", limit: "100" });
  const answer = await client.call({ path: `/v1/timeline?${asked}` }).catch(() => undefined);
  if (answer?.status !== 200) return {};
  const { items } = objectOf(answer);
  // An earlier attempt may have made a bundle too, and failed later.
  const made = Array.isArray(items)
    ? items.filter(isObject).find(({ stage }) => stage === "made")
    : undefined;
  const attributes = made?.["attributes"];
  if (!isObject(attributes)) return {};
  const { leftOut, emptyDirectoryCount } = attributes;
  return {
    ...isObject(leftOut) ? { leftOut: countsFrom(leftOut) } : {},
    ...typeof emptyDirectoryCount === "number" ? { emptyDirectoryCount } : {},
  };
}

function countsFrom(told: Record<string, unknown>): LeftOutCounts {
  const count = (value: unknown) => typeof value === "number" ? value : 0;
  const { invalid, bad_id: badIds, unread } = told;
  return { invalid: count(invalid), bad_id: count(badIds), unread: count(unread) };
}
