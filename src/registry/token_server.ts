/**
 * The token server of a registry: by user and password (GET), or by an identity token (POST), a
 * refresh token of OAuth 2 that `docker login` and `az acr login` store. Source: distribution
 * docs/spec/auth/token.md and oauth.md.
 */
import { type Json, objectIn } from "../domain/json.ts";
import { refused, RemoteError, target } from "../net/failure.ts";
import { shown } from "../domain/names.ts";
import { type Answer, bodyOf, type Outgoing } from "../net/message.ts";
import { type Endpoint, mayBeNamedBy } from "../domain/reference.ts";
import { basic, type Credentials, type Password, Secret } from "./secret.ts";

export interface TokenRequest {
  /** Of the registry's challenge. */
  parameters: ReadonlyMap<string, string>;
  scope: string;
  signal?: AbortSignal | undefined;
}

export interface TokenServerOptions {
  endpoint: Endpoint;
  credentials: Credentials | undefined;
  send: (outgoing: Outgoing) => Promise<Answer>;
}

export class TokenServer {
  /** Servers may issue a new one with each token and refuse the old one. */
  #identityToken: Secret | undefined;

  constructor(readonly options: TokenServerOptions) {}

  /** @throws RemoteError auth if no token could be obtained */
  async fetch(request: TokenRequest): Promise<Secret> {
    const { credentials } = this.options;
    const url = this.#realm(request.parameters.get("realm") ?? "");
    const outgoing = credentials !== undefined && "identityToken" in credentials
      ? byIdentity(url, request, this.#identityToken ?? credentials.identityToken)
      : byPassword(url, request, credentials);
    const answer = await this.options.send(outgoing);
    if (answer.status !== 200) {
      const login = credentials === undefined ? "none" : "refused";
      throw refused(outgoing, { ...answer, login });
    }
    // No part of the body may appear in a message.
    const fields = objectIn(answer.body) ?? {};
    this.#identityToken = tokenIn(fields["refresh_token"]) ?? this.#identityToken;
    // An empty `token` beside an `access_token` does occur.
    const token = tokenIn(fields["token"]) ?? tokenIn(fields["access_token"]);
    if (token !== undefined) return token;
    throw new RemoteError("auth", `${target(outgoing)}: the response has no token`, {
      hint: "see the log of the token server, and check the credentials",
    });
  }

  /** Credentials are sent there. */
  #realm(realm: string): URL {
    const { endpoint } = this.options;
    const url = URL.parse(realm);
    if (url !== null && mayBeNamedBy(endpoint, url)) return url;
    const what = `Cannot fetch a token from ${shown(realm)}, which the registry ` +
      `${endpoint.url.host} names: it is not an https URL`;
    throw new RemoteError("auth", what, {
      hint: "configure an https URL for the registry's token server (the realm of its challenge)",
    });
  }
}

function byPassword(
  realm: URL,
  { parameters, scope, signal }: TokenRequest,
  credentials: Password | undefined,
): Outgoing {
  const url = new URL(realm);
  const service = parameters.get("service");
  if (service !== undefined) url.searchParams.append("service", service);
  for (const one of scope.split(" ")) url.searchParams.append("scope", one);
  const headers = credentials && { authorization: basic(credentials).reveal() };
  return { method: "GET", url, signal, ...(headers && { headers }) };
}

function byIdentity(
  url: URL,
  { parameters, scope, signal }: TokenRequest,
  identityToken: Secret,
): Outgoing {
  const service = parameters.get("service");
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: "stella",
    scope,
    ...(service === undefined ? {} : { service }),
    refresh_token: identityToken.reveal(),
  });
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = bodyOf(new TextEncoder().encode(form.toString()));
  return { method: "POST", url, headers, body, signal };
}

function tokenIn(value: Json | undefined): Secret | undefined {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value) ? new Secret(value) : undefined;
}
