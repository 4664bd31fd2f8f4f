/** Credentials, kept so that no log, error or dump can show them by accident. */
const redacted = "[redacted]";

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

/** RFC 7617: a user-id holds no colon, neither half a control character. */
export function isUsername(value: unknown): value is string {
  return typeof value === "string" && /^[^:\p{Cc}]+$/u.test(value);
}
