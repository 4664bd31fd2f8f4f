/**
 * Shapes of foreign JSON: each check takes a value and its location and reports every fault.
 * Unknown fields are ignored, because providers add some every year; a fault in one field does not
 * hide others. A check also selects the parts of a value that are kept in memory.
 */
import { isObject } from "../domain/json.ts";
import { canonical, isCve, isId, isName } from "./ids.ts";
import type { Keep } from "./json_reader.ts";

export type OnFault = (place: string, reason: string) => void;
export interface Check {
  (value: unknown, place: string, fault: OnFault): void;
  readonly keep: Keep;
}
type Fields = Record<string, Check>;

const datePattern = /^\d{4}-\d\d-\d\d$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/**
 * An object with the `required` fields and optionally the `optional` ones; null counts as absent.
 */
export function fields(required: Fields, optional: Fields = {}): Check {
  const all = Object.entries({ ...optional, ...required });
  const keep = { fields: new Map(all.map(([name, check]) => [name, check.keep])) };
  return checked(keep, (value, place, fault) => {
    if (!isObject(value)) return fault(place, "is not an object");
    for (const [name, check] of Object.entries(required)) {
      if (isThere(value, name)) check(value[name], join(place, name), fault);
      else fault(join(place, name), "is missing");
    }
    for (const [name, check] of Object.entries(optional)) {
      if (isThere(value, name)) check(value[name], join(place, name), fault);
    }
  });
}

export function list(item: Check, min = 0): Check {
  return checked({ items: item.keep }, (value, place, fault) => {
    if (!Array.isArray(value)) return fault(place, "is not a list");
    if (value.length < min) fault(place, `has fewer than ${min} items`);
    value.forEach((one, i) => item(one, `${place}[${i}]`, fault));
  });
}

/** `check` with its selection. */
export function checked(
  keep: Keep,
  check: (value: unknown, place: string, fault: OnFault) => void,
): Check {
  return Object.assign(check, { keep });
}

function isThere(value: Record<string, unknown>, name: string): boolean {
  return Object.hasOwn(value, name) && value[name] !== null;
}

export const text = scalar("is not a text", (value) => typeof value === "string");
/** Kept, and never a fault. */
export const anything = scalar("", () => true);
export const id = scalar("is not an id", isId);
export const name = scalar("is not a name", isName);
/** In any case: the caller normalizes it. */
export const cve = scalar("is not a CVE id", (value) => isText(value) && isCve(canonical(value)));
export const date = scalar(
  "is not a date YYYY-MM-DD",
  (value) => isText(value) && datePattern.test(value) && isTime(value),
);
export const time = scalar(
  "is not a time of RFC 3339",
  (value) => isText(value) && timePattern.test(value) && isTime(value),
);

export function oneOf(...values: unknown[]): Check {
  const names = values.map((value) => String(value)).join(" or ");
  return scalar(`is not ${names}`, (value) => values.includes(value));
}

function scalar(reason: string, isRight: (value: unknown) => boolean): Check {
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

function join(place: string, name: string): string {
  return place === "" ? name : `${place}.${name}`;
}
