/**
 * Shapes of foreign JSON: each check takes a value and its location and reports every fault, and
 * its type is that of a value without faults. Unknown fields are ignored, because providers add
 * some every year. A check also selects the parts of a value that are kept in memory.
 */
import { isObject } from "../domain/json.ts";
import { canonical, isCve, isId, isName } from "./ids.ts";
import type { Keep } from "./json_reader.ts";

type OnFault = (place: string, reason: string) => void;
type CheckFunction = (value: unknown, place: string, fault: OnFault) => void;

export interface Check<Value = unknown> extends CheckFunction {
  readonly keep: Keep;
  /** A type only: no check has it. */
  readonly valid?: Value;
}
export type Valid<C> = C extends Check<infer Value> ? Value : never;
type Fields = Readonly<Record<string, Check>>;

/**
 * An object with the `required` fields and optionally the `optional` ones; null counts as absent.
 */
export function fields<Required extends Fields, Optional extends Fields>(
  required: Required,
  optional?: Optional,
): Check<
  & { [Name in keyof Required]: Valid<Required[Name]> }
  & { [Name in keyof Optional]?: Valid<Optional[Name]> | null }
> {
  const all = Object.entries<Check>({ ...required, ...optional });
  const keep = { fields: new Map(all.map(([name, check]) => [name, check.keep])) };
  return checked(keep, (value, place, fault) => {
    if (!isObject(value)) return fault(place, "is not an object");
    for (const [name, check] of all) {
      const below = place === "" ? name : `${place}.${name}`;
      const isThere = Object.hasOwn(value, name) && value[name] !== null;
      if (isThere) check(value[name], below, fault);
      else if (Object.hasOwn(required, name)) fault(below, "is missing");
    }
  });
}

export function list<Value>(item: Check<Value>, min = 0): Check<Value[]> {
  return checked({ items: item.keep }, (value, place, fault) => {
    if (!Array.isArray(value)) return fault(place, "is not a list");
    if (value.length < min) fault(place, `has fewer than ${min} items`);
    value.forEach((one, i) => item(one, `${place}[${i}]`, fault));
  });
}

/** `check` with its selection. */
export function checked<Value>(keep: Keep, check: CheckFunction): Check<Value> {
  return Object.assign(check, { keep });
}

export const text = scalar<string>("is not a text", isText);
/** Kept, and never a fault. */
export const anything = scalar<unknown>("", () => true);
export const id = scalar<string>("is not an id", isId);
export const name = scalar<string>("is not a name", isName);
/** In any case: the caller normalizes it. */
export const cve = scalar<string>("is not a CVE id", (one) => isText(one) && isCve(canonical(one)));
export const date = dated("is not a date YYYY-MM-DD", /^\d{4}-\d\d-\d\d$/);
export const time = dated(
  "is not a time of RFC 3339",
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i,
);

export function oneOf<Value extends string>(...values: Value[]): Check<Value> {
  return scalar(`is not ${values.join(" or ")}`, (one) => values.some((value) => value === one));
}

function dated(reason: string, pattern: RegExp): Check<string> {
  return scalar(reason, (one) => isText(one) && pattern.test(one) && isTime(one));
}

function scalar<Value>(reason: string, isRight: (value: unknown) => boolean): Check<Value> {
  return checked("scalar", (value, place, fault) => {
    if (!isRight(value)) fault(place, reason);
  });
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** `2021-02-30` matches the pattern but is not a date. */
function isTime(text: string): boolean {
  const day = text.slice(0, 10);
  const parsed = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(Date.parse(text)) && Number.isFinite(parsed) &&
    new Date(parsed).toISOString().startsWith(day);
}
