/**
 * Answers to 401. A registry names in WWW-Authenticate what it takes: Basic, or Bearer with the place where tokens are made.
 * Source: RFC 9110 section 11.6.1, RFC 7617, Docker Registry token authentication (distribution docs/spec/auth/token.md).
 */
import { Buffer } from "node:buffer";
import { shown } from "../bundle/names.ts";
import { refused, RegistryError, target } from "./failure.ts";
import type { Answer, Outgoing } from "./message.ts";
import { hostOf, isLoopback } from "./reference.ts";
import { type Credentials, Secret } from "./secret.ts";

export interface Challenge {
  /** Lowercase. */
  scheme: string;
  /** Names in lowercase. */
  parameters: Map<string, string>;
}

/** Gives requests their Authorization, as far as the registry has asked for one. */
export class Authorizer {
  readonly #tokens = new Map<string, Secret>();
  #basic: Secret | undefined;

  constructor(
    readonly credentials: Credentials | undefined,
    readonly send: (outgoing: Outgoing) => Promise<Answer>,
  ) {}

  headers(scope: string): Record<string, string> {
    const secret = this.#tokens.get(scope) ?? this.#basic;
    return secret === undefined ? {} : { authorization: secret.reveal() };
  }

  /**
   * Prepares the answer to a 401.
   * @returns whether the request is worth sending again
   * @throws RegistryError auth where no token could be had
   */
  async answer(header: string | undefined, scope: string, signal?: AbortSignal): Promise<boolean> {
    const challenges = parseChallenges(header ?? "");
    const bearer = challenges.find((one) => one.scheme === "bearer");
    if (bearer !== undefined) {
      this.#tokens.set(scope, await this.#token(bearer, scope, signal));
      return true;
    }
    const first = this.#basic === undefined;
    if (!challenges.some((one) => one.scheme === "basic") || !this.credentials) return false;
    this.#basic = basic(this.credentials);
    return first;
  }

  async #token(bearer: Challenge, scope: string, signal?: AbortSignal): Promise<Secret> {
    const url = realmOf(bearer);
    const service = bearer.parameters.get("service");
    if (service !== undefined) url.searchParams.append("service", service);
    for (const one of scope.split(" ")) url.searchParams.append("scope", one);
    const headers = this.credentials && { authorization: basic(this.credentials).reveal() };
    const outgoing: Outgoing = { method: "GET", url, signal, ...(headers && { headers }) };
    const answer = await this.send(outgoing);
    if (answer.status !== 200) throw refused(outgoing, answer);
    return tokenOf(answer.body, url);
  }
}

/** RFC 9110 section 11.6.1; several challenges may share one header line. */
export function parseChallenges(header: string): Challenge[] {
  const piece = /[\s,]*([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  const challenges: Challenge[] = [];
  for (let found = piece.exec(header); found !== null; found = piece.exec(header)) {
    const [, name = "", quoted, plain] = found;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (value !== undefined) challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
    else challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
  }
  return challenges;
}

/** Credentials go to the realm, so it has to be TLS, or on this machine. */
function realmOf(bearer: Challenge): URL {
  const realm = bearer.parameters.get("realm") ?? "";
  const url = URL.parse(realm);
  const safe = url?.protocol === "https:" ||
    (url?.protocol === "http:" && isLoopback(hostOf(url)));
  if (url !== null && safe && url.username === "" && url.password === "") return url;
  throw new RegistryError("auth", `The registry sends us to ${shown(realm)} for a token`, {
    hint: "tokens are only fetched by https, or from this machine",
  });
}

function tokenOf(body: Uint8Array, url: URL): Secret {
  let token: unknown;
  try {
    const value = JSON.parse(new TextDecoder().decode(body));
    token = value?.token || value?.access_token;
  } catch {
    // No word of the body may get into a message.
  }
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) {
    return new Secret(`Bearer ${token}`);
  }
  throw new RegistryError(
    "auth",
    `${target("GET", url)}: there is no token in the answer`,
  );
}

function basic({ username, password }: Credentials): Secret {
  const pair = Buffer.from(`${username}:${password.reveal()}`);
  return new Secret(`Basic ${pair.toString("base64")}`);
}
