export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

/** Whether a value is an object of JSON: neither null nor a list. */
export function isObject(value: Json | undefined): value is JsonObject;
export function isObject(value: unknown): value is Record<string, unknown>;
export function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The JSON object in `bytes`; undefined if it is anything else.
 * @param fatal whether text that is not UTF-8 is none; else it has replacement characters
 */
export function objectIn(bytes: Uint8Array, { fatal = false } = {}): JsonObject | undefined {
  try {
    const value: Json = JSON.parse(new TextDecoder("utf-8", { fatal }).decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
