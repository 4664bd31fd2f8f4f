/** An export as a running service shows it. What stands at the other end may be anything, so findings are taken by their shape. */
import { type ErrorCode, exitCodes, type Finding, StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";

export interface RemoteExport {
  id: string;
  state: string;
  profile: string;
  tenant: string;
  /** What asked for it: api, schedule or cli. Older services do not say this and what follows. */
  trigger?: string;
  /** Name of the token that asked for it. */
  actor?: string | null;
  createdAt?: string;
  startedAt?: string | null;
  endedAt?: string | null;
  seconds?: number | null;
  attempts?: number;
  bytes?: number | null;
  files?: number | null;
  sameAs?: string | null;
  bundleDigest: string | null;
  error: RemoteError | null;
}

export interface RemoteError {
  code: string;
  message: string;
  hint?: string;
  findings?: unknown;
}

export function hasEnded({ state }: Pick<RemoteExport, "state">): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

/** An export that did not succeed, as the error of a command. */
export function failureOf({ id, state, error }: RemoteExport): StellaError {
  const what = `The export ${shown(id)} ${state === "failed" ? "failed" : `is ${escaped(state)}`}`;
  const text = error === null ? what : `${what}: ${error.message}`;
  if (state === "cancelled") return new StellaError("interrupted", text);
  return new StellaError(codeOf(error?.code), text, {
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
    findings: findingsOf(error),
  });
}

/** What the service listed of what it found; nothing of what is no finding. */
export function findingsOf(error: { findings?: unknown } | null | undefined): Finding[] {
  const given = error?.findings;
  return Array.isArray(given) ? given.flatMap(findingOf) : [];
}

function findingOf(value: Record<string, unknown> | null): Finding[] {
  if (typeof value !== "object" || value === null) return [];
  const { line, range } = value;
  const texts = ["path", "found", "expected", "hint"].flatMap((name) =>
    typeof value[name] === "string" ? [[name, value[name]]] : []
  );
  return [{
    code: codeOf(value["code"]),
    reason: /^[a-z_]{1,64}$/.exec(String(value["reason"]))?.[0] ?? "other",
    ...Object.fromEntries(texts),
    ...(typeof line === "number" ? { line } : {}),
    ...(isRange(range) ? { range } : {}),
  }];
}

function isRange(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 &&
    value.every((one) => typeof one === "number");
}

function codeOf(name: unknown): ErrorCode {
  const known = typeof name === "string" && name !== "ok" && Object.hasOwn(exitCodes, name);
  return known ? name as ErrorCode : "internal";
}
