/** An export as a service reports it, untrusted: a field counts only if it has its type. */
import { isObject } from "../domain/json.ts";
import { type Finding, kindNamed, reasonNamed, StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { LeftOutCounts } from "./export_result.ts";
import { queryText, type ServiceClient } from "./service_client.ts";

/** `trigger` is api, schedule or cli; `actor` the name of the token that requested it. */
const times = ["createdAt", "startedAt", "endedAt"] as const;
const exportTexts = ["trigger", "actor", ...times, "sameAs", "bundleDigest"] as const;
const exportNumbers = ["seconds", "attempts", "bytes", "files"] as const;

/** Older services do not send everything. */
export interface RemoteExport
  extends Fields<typeof exportTexts, string>, Fields<typeof exportNumbers, number> {
  id: string;
  state: string;
  profile: string;
  tenant: string;
  error?: RemoteError | undefined;
}

export interface RemoteError extends Fields<["reason", "hint"], string> {
  code: string;
  message: string;
  findings: Finding[];
}

type Fields<K extends readonly string[], T> = { [name in K[number]]?: T | undefined };

/** Undefined if it is not an export. */
export function exportFrom(value: unknown): RemoteExport | undefined {
  if (!isObject(value)) return undefined;
  const { id, state } = value;
  if (typeof id !== "string" || typeof state !== "string") return undefined;
  const { profile = "", tenant = "" } = fieldsOf(value, ["profile", "tenant"], isText);
  return {
    ...{ id, state, profile, tenant },
    ...fieldsOf(value, exportTexts, isText),
    ...fieldsOf(value, exportNumbers, isNumber),
    error: errorFrom(value["error"]),
  };
}

function errorFrom(value: unknown): RemoteError | undefined {
  if (!isObject(value)) return undefined;
  const { code = "", message = "" } = fieldsOf(value, ["code", "message"], isText);
  const more = fieldsOf(value, ["reason", "hint"], isText);
  return { code, message, ...more, findings: findingsFrom(value["findings"]) };
}

/** Those of the fields that have the type. */
function fieldsOf<K extends string, T>(
  value: Record<string, unknown>,
  names: readonly K[],
  hasType: (field: unknown) => field is T,
): { [name in K]?: T } {
  const found: { [name in K]?: T } = {};
  for (const name of names) {
    const field = value[name];
    if (hasType(field)) found[name] = field;
  }
  return found;
}

const isText = (value: unknown) => typeof value === "string";
const isNumber = (value: unknown) => typeof value === "number";

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
  const { range } = value;
  return [{
    kind: kindNamed(value["code"]) ?? "defect",
    reason: reasonNamed(value["reason"]) ?? "other",
    ...fieldsOf(value, ["path", "found", "expected", "hint"], isText),
    ...fieldsOf(value, ["line"], isNumber),
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
  const query = queryText({ exportId: id, tenant, first: "newest", limit: "100" });
  const { items } = await client.ask({ path: `/v1/timeline?${query}` }).catch(() => ({
    items: [],
  }));
  // An earlier attempt may have made a bundle too, and failed later.
  const made = Array.isArray(items)
    ? items.filter(isObject).find(({ stage }) => stage === "made")
    : undefined;
  const attributes = made?.["attributes"];
  if (!isObject(attributes)) return {};
  const { leftOut } = attributes;
  const none = { invalid: 0, bad_id: 0, unread: 0 };
  return {
    ...isObject(leftOut)
      ? { leftOut: { ...none, ...fieldsOf(leftOut, ["invalid", "bad_id", "unread"], isNumber) } }
      : {},
    ...fieldsOf(attributes, ["emptyDirectoryCount"], isNumber),
  };
}
