/**
 * Shapes of foreign JSON: each check takes a value and the place where it stands and names every fault. Fields that are not
 * known are left alone, because providers add some every year; what is wrong with one field does not hide the next.
 */

export type OnFault = (place: string, reason: string) => void;
export type Check = (value: unknown, place: string, fault: OnFault) => void;
type Fields = Record<string, Check>;

/** What may name a record: no space, no control character, nothing that could be taken for more than a word. */
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._:\/+-]{0,127}$/;
const cvePattern = /^CVE-\d{4}-\d{4,19}$/;
const datePattern = /^\d{4}-\d\d-\d\d$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** An object that has the `required` fields and may have the `optional` ones. */
export function fields(required: Fields, optional: Fields = {}): Check {
  return (value, place, fault) => {
    if (!isObject(value)) return fault(place, "is not an object");
    for (const [name, check] of Object.entries(required)) {
      if (Object.hasOwn(value, name)) check(value[name], join(place, name), fault);
      else fault(join(place, name), "is missing");
    }
    for (const [name, check] of Object.entries(optional)) {
      if (Object.hasOwn(value, name)) check(value[name], join(place, name), fault);
    }
  };
}

export function list(item: Check, least = 0): Check {
  return (value, place, fault) => {
    if (!Array.isArray(value)) return fault(place, "is not a list");
    if (value.length < least) fault(place, `has fewer than ${least} items`);
    value.forEach((one, i) => item(one, `${place}[${i}]`, fault));
  };
}

export const text: Check = (value, place, fault) => {
  if (typeof value !== "string") fault(place, "is not a text");
};

export const id = matching(idPattern, "is not an id");
export const cve = matching(cvePattern, "is not a CVE id");
export const date = matching(datePattern, "is not a date YYYY-MM-DD", isTime);
export const time = matching(timePattern, "is not a time of RFC 3339", isTime);

export function oneOf(...values: unknown[]): Check {
  return (value, place, fault) => {
    if (!values.includes(value)) {
      fault(
        place,
        `is not ${values.map((v) => String(v)).join(" or ")}`,
      );
    }
  };
}

export function isCve(text: string): boolean {
  return cvePattern.test(text);
}

export function isId(text: unknown): text is string {
  return typeof text === "string" && idPattern.test(text);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function matching(pattern: RegExp, reason: string, also: (text: string) => boolean = () => true) {
  const check: Check = (value, place, fault) => {
    if (typeof value !== "string" || !pattern.test(value) || !also(value)) fault(place, reason);
  };
  return check;
}

/** `2021-02-30` fits the pattern and is no day. */
function isTime(text: string): boolean {
  const day = text.slice(0, 10);
  const parsed = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(Date.parse(text)) && Number.isFinite(parsed) &&
    new Date(parsed).toISOString().startsWith(day);
}

function join(place: string, name: string): string {
  return place === "" ? name : `${place}.${name}`;
}
