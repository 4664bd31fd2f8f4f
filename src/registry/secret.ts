/** Credentials, wrapped so that no log, error or dump shows them by accident. */
import { Buffer } from "node:buffer";

const redacted = "[redacted]";

/** Text that only `reveal` returns. */
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

export interface Password {
  username: string;
  password: Secret;
}

/** A refresh token of OAuth 2, valid for the registry's token server only. */
export interface IdentityToken {
  identityToken: Secret;
}

export type Credentials = Password | IdentityToken;

/** The value of Authorization; RFC 7617. */
export function basic({ username, password }: Password): Secret {
  const pair = Buffer.from(`${username}:${password.reveal()}`);
  return new Secret(`Basic ${pair.toString("base64")}`);
}

/** RFC 7617: a user-id contains no colon and no control character. */
export function isUsername(value: unknown): value is string {
  return typeof value === "string" && /^[^:\p{Cc}]+$/u.test(value);
}
