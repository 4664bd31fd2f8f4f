/** Credentials, kept so that no log, error or dump can show them by accident. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { type Json, JsonFault, type JsonObject, parseStrict } from "../bundle/strict_json.ts";
import { ioError, StellaError } from "../errors.ts";

const redacted = "[redacted]";
const largest = 64 * 1024;

/** A text that only `reveal` gives away. */
export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return redacted;
  }
  toJSON(): string {
    return redacted;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return redacted;
  }
  [Symbol.for("Deno.customInspect")](): string {
    return redacted;
  }
}

export interface Credentials {
  username: string;
  password: Secret;
}

/**
 * Reads `{"username": ..., "password": ...}` from a file that nobody else can read. No message repeats a word of it.
 * @throws StellaError usage
 */
export function readCredentials(path: string): Credentials {
  const value = parsed(path, readPrivate(path));
  const { username, password, ...rest } = value;
  if (!isUsername(username) || typeof password !== "string" || password === "") {
    throw unfit(path, "username and password must be non-empty texts, the username without ':'");
  }
  if (Object.keys(rest).length > 0) throw unfit(path, "there are other fields in it");
  return { username, password: new Secret(password) };
}

function readPrivate(path: string): Uint8Array {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw ioError("Cannot read the credentials", path, error);
  }
  try {
    checkPrivate(path, file);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function checkPrivate(path: string, file: number): void {
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.size > largest) throw unfit(path, "it is not a small regular file");
  if ((stat.mode & 0o077) === 0) return;
  const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
  throw unfit(path, `its mode is ${mode}, so others can read it`, "chmod 600 the file");
}

function parsed(path: string, bytes: Uint8Array): JsonObject {
  let value: Json;
  try {
    value = parseStrict(bytes);
  } catch (error) {
    // JsonFault may quote a name; only its place is told.
    throw unfit(path, error instanceof JsonFault ? `no JSON at byte ${error.offset}` : "no JSON");
  }
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
  throw unfit(path, "it does not hold one object");
}

/** RFC 7617: a user-id holds no colon, neither half a control character. */
function isUsername(value: unknown): value is string {
  return typeof value === "string" && /^[^:\p{Cc}]+$/u.test(value);
}

function unfit(path: string, found: string, hint = 'write {"username": "...", "password": "..."}') {
  return new StellaError(
    "usage",
    `Cannot use the credentials ${JSON.stringify(path)}: ${found}`,
    {
      hint,
    },
  );
}
