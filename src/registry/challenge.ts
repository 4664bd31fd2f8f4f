/**
 * Answers 401 responses. A registry names in WWW-Authenticate what it accepts: Basic, or Bearer
 * with a token server. Source: RFC 9110 section 11.6.1, RFC 7617, Docker Registry token
 * authentication (distribution docs/spec/auth/token.md).
 */
import type { Answer, Login } from "../net/message.ts";
import { basic, Secret } from "./secret.ts";
import { TokenServer, type TokenServerOptions } from "./token_server.ts";

export interface Challenge {
  /** Lowercase. */
  scheme: string;
  /** Names in lowercase. */
  parameters: ReadonlyMap<string, string>;
}

/** A 401 response that may be answered. */
export interface Unauthorized {
  answer: Answer;
  /** The required scope of a token. */
  scope: string;
  /** The Authorization that was refused. */
  sent: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Provides the Authorization of requests, once the registry has asked for it. */
export class Authorizer {
  readonly #tokens = new Map<string, Secret>();
  readonly #tokenServer: TokenServer;
  #basic: Secret | undefined;

  constructor(readonly options: TokenServerOptions) {
    this.#tokenServer = new TokenServer(options);
  }

  headers(scope: string): Record<string, string> {
    const secret = this.#tokens.get(scope) ?? this.#basic;
    return secret === undefined ? {} : { authorization: secret.reveal() };
  }

  /**
   * Prepares the answer to a 401.
   * @returns undefined if the request should be repeated, otherwise why not
   * @throws RemoteError auth if no token could be obtained
   */
  async answer(refused: Unauthorized): Promise<Login | undefined> {
    const { scope, sent } = refused;
    const known = this.headers(scope)["authorization"];
    // Requests run in parallel: another one has logged in since this one was sent.
    if (known !== undefined && known !== sent) return undefined;
    const challenges = await this.#challenges(refused);
    const bearer = challenges.find((one) => one.scheme === "bearer");
    if (bearer !== undefined) {
      const token = await this.#tokenServer.fetch({ ...refused, parameters: bearer.parameters });
      this.#tokens.set(scope, new Secret(`Bearer ${token.reveal()}`));
      return undefined;
    }
    return this.#answerBasic(challenges, sent);
  }

  #answerBasic(challenges: readonly Challenge[], sent: string | undefined): Login | undefined {
    const { credentials } = this.options;
    if (credentials === undefined) return "none";
    if (sent !== undefined) return "refused";
    if (!challenges.some((one) => one.scheme === "basic")) return "unasked";
    if ("identityToken" in credentials) return "token_only";
    this.#basic = basic(credentials);
    return undefined;
  }

  /** Of the response, or of `/v2/`, the only place where some registries send them. */
  async #challenges({ answer, signal }: Unauthorized): Promise<Challenge[]> {
    const own = usable(answer);
    if (own.length > 0) return own;
    const { endpoint, send } = this.options;
    return usable(await send({ method: "GET", url: new URL("/v2/", endpoint.url), signal }));
  }
}

function usable(answer: Answer): Challenge[] {
  const challenges = answer.status === 401
    ? parseChallenges(answer.header("www-authenticate") ?? "")
    : [];
  return challenges.filter(({ scheme }) => scheme === "bearer" || scheme === "basic");
}

/** RFC 9110 section 11.6.1; several challenges may share one header line. */
export function parseChallenges(header: string): Challenge[] {
  const piece = /[\s,]*([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;
  const challenges: (Challenge & { parameters: Map<string, string> })[] = [];
  for (let found = piece.exec(header); found !== null; found = piece.exec(header)) {
    const [, name = "", quoted, plain] = found;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (value !== undefined) challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
    else challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
  }
  return challenges;
}
