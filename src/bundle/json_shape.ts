/** Shapes of strict JSON: each returns a value typed, or reports where it is wrong. */
import { isObject, type Json } from "../domain/json.ts";
import { shown } from "../domain/names.ts";

/** Location in the document, such as `files[3].size`, and what is wrong there. */
export class ShapeFault extends Error {
  constructor(place: string, reason: string) {
    super(`${place === "" ? "the document" : place} ${reason}`);
  }
}

export type Shape<T> = (value: Json | undefined, place: string) => T;
type Shapes = Record<string, Shape<unknown>>;
type Of<S extends Shapes> = { [K in keyof S]: S[K] extends Shape<infer T> ? T : never };

/** An object with exactly the `required` keys and at most the `optional` ones. */
export function object<R extends Shapes, O extends Shapes>(
  required: R,
  optional: O,
): Shape<Of<R> & Partial<Of<O>>> {
  const shapes = new Map<string, Shape<unknown>>(Object.entries({ ...required, ...optional }));
  return (value, place) => {
    if (!isObject(value)) throw new ShapeFault(place, "is not an object");
    const out: Record<string, unknown> = {};
    for (const name of Object.keys(value)) {
      const shape = shapes.get(name);
      if (shape === undefined) throw new ShapeFault(join(place, name), "is not known");
      out[name] = shape(value[name], join(place, name));
    }
    for (const name of Object.keys(required)) {
      if (!(name in out)) throw new ShapeFault(join(place, name), "is missing");
    }
    return out as Of<R> & Partial<Of<O>>;
  };
}

export function array<T>(item: Shape<T>, max: number): Shape<T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) throw new ShapeFault(place, "is not an array");
    if (value.length > max) throw new ShapeFault(place, `has more than ${max} items`);
    return value.map((one, i) => item(one, `${place}[${i}]`));
  };
}

/** An object with any keys, at most `max`; the result has no prototype, so no key is special. */
export function record<T>(item: Shape<T>, max: number): Shape<Record<string, T>> {
  return (value, place) => {
    if (!isObject(value)) throw new ShapeFault(place, "is not an object");
    const names = Object.keys(value);
    if (names.length > max) throw new ShapeFault(place, `has more than ${max} keys`);
    const out: Record<string, T> = Object.create(null);
    for (const name of names) out[name] = item(value[name], join(place, name));
    return out;
  };
}

export function text(pattern: RegExp, what: string): Shape<string> {
  return (value, place) => {
    if (typeof value === "string" && pattern.test(value)) return value;
    throw new ShapeFault(place, `is not ${what}`);
  };
}

/** One of `values`, compared by identity. */
export function oneOf<const T extends Json>(...values: T[]): Shape<T> {
  return (value, place) => {
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    throw new ShapeFault(place, `is not ${values.map((v) => JSON.stringify(v)).join(" or ")}`);
  };
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, place) => {
    if (typeof value === "number" && value >= min && value <= max) return value;
    throw new ShapeFault(place, `is not an integer from ${min} to ${max}`);
  };
}

/** Unknown keys are arbitrary text: they are quoted and cut. */
function join(place: string, name: string): string {
  const safe = /^[A-Za-z0-9]{1,40}$/.test(name) ? name : shown(name);
  return place === "" ? safe : `${place}.${safe}`;
}
