/**
 * Requests to a running service. No proxy or trust comes from the environment. Responses are
 * untrusted: limited in size, and escaped when shown.
 */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOf, StellaError } from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import { escaped, shown } from "../domain/names.ts";
import { readPrivateFile } from "../domain/regular_file.ts";
import type { Pull } from "../bundle/stream_source.ts";
import { isLoopbackHost } from "../domain/loopback.ts";
import { hostOf } from "../domain/reference.ts";
import { defaultListen } from "../config/listen.ts";
import { authorities } from "../net/authorities.ts";
import { directAgent } from "../net/direct_agent.ts";
import { Secret } from "../registry/secret.ts";
import type { Host } from "./host.ts";
import { checkEnvironment } from "./network.ts";
import { build } from "../domain/version.ts";
import { type Answer, notAService, objectOf, refusalOf, ServiceError } from "./service_answer.ts";
import type { CommonFlags } from "./command.ts";
import type { ServiceFlags } from "./options.ts";

/** By name; undefined: not sent. */
export type Query = Readonly<Record<string, string | undefined>>;

export interface Page<T> {
  readonly items: readonly unknown[];
  readonly parsed: readonly T[];
  /** Where the next page begins. */
  readonly next: string | null;
}

export interface Call {
  method?: "GET" | "POST" | "DELETE";
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Milliseconds without a byte: of a response, and of a stream, which sends some every 15 s. */
const timeout = 5_000;
const streamTimeout = 45_000;
/** Identifies our own command to the service. */
const agent = { "user-agent": `stella/${build().version}` };
/** Bytes; a status has a few hundred. */
const defaultMaxAnswer = 64 * 1024;
/** Bytes; 500 exports or events, with their errors. */
const maxPageBytes = 4 * 1024 * 1024;

/** Why a service cannot be reached, by the code of Node.js. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed",
  ENOTFOUND: "no address is known for this host",
};

export class ServiceClient {
  readonly #base: URL;
  readonly #headers: () => Record<string, string>;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #stop: AbortSignal;

  /**
   * From flags, otherwise variables, otherwise the default address of `stella serve`.
   * @throws StellaError usage; policy if the token would be sent unencrypted
   */
  constructor(flags: ServiceFlags & Pick<CommonFlags, "quiet">, host: Host) {
    const { server, tokenFile, ca, insecureHttp, quiet } = flags;
    this.#base = baseUrl(server ?? (host.environment("STELLA_URL") || `http://${defaultListen}`));
    checkEnvironment([hostOf(this.#base)], { quiet }, host);
    const tokenPath = tokenFile ?? (host.environment("STELLA_TOKEN_FILE") || undefined);
    const token = tokenPath === undefined ? undefined : readToken(tokenPath);
    if (token !== undefined) checkTransport(this.#base, insecureHttp === true, host);
    this.#headers = () => token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` };
    this.#agent = this.#base.protocol === "https:"
      ? new HttpsAgent({ ...directAgent, ca: [...authorities(ca)], rejectUnauthorized: true })
      : new HttpAgent(directAgent);
    this.#stop = host.stop;
  }

  get url(): string {
    return this.#base.href.replace(/\/$/, "");
  }

  /** @throws ServiceError without a response; StellaError remote if it is too large, interrupted */
  async call(call: Call, max = defaultMaxAnswer): Promise<Answer> {
    return await this.#whole(call, await this.#send(call), max);
  }

  /**
   * The object of a response, empty if it is none. @param hint where the request itself is refused
   * @throws ServiceError also for a refusal
   */
  async ask(call: Call, hint?: string, max?: number): Promise<Record<string, unknown>> {
    const answer = await this.call(call, max);
    if (answer.status >= 300) throw refusalOf(answer, hint);
    return objectOf(answer);
  }

  /** Items of a list, as sent and as parsed. @throws ServiceError also for what is not an item */
  async page<T extends object>(
    path: string,
    query: Query,
    { parse, what, hint }: { parse: (item: unknown) => T | undefined; what: string; hint?: string },
  ): Promise<Page<T>> {
    const call = { path: `${path}?${queryText(query)}` };
    const { items, next } = await this.ask(call, hint, maxPageBytes);
    if (!Array.isArray(items)) throw notAService(this.url, what);
    const parsed = items.map((item) => {
      const found = parse(item);
      if (found === undefined) throw notAService(this.url, what);
      return found;
    });
    return { items, parsed, next: typeof next === "string" ? next : null };
  }

  /** The bytes of a response, read as fast as they are used; to be closed. @throws ServiceError */
  async stream(path: string): Promise<{ pull: Pull; close(): void }> {
    const answer = await this.#opened({ path });
    const chunks = (answer as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    let rest = new Uint8Array();
    const pull = async (buffer: Uint8Array) => {
      if (rest.length === 0) {
        const next = await chunks.next().catch((error) => {
          throw this.#unreachable(this.#target(path), error);
        });
        if (next.done) return null;
        rest = new Uint8Array(next.value);
      }
      const part = rest.subarray(0, buffer.length);
      buffer.set(part);
      rest = rest.subarray(part.length);
      return part.length;
    };
    return { pull, close: () => void answer.destroy() };
  }

  /** Lines as they arrive, until the connection ends, closed or broken. @throws ServiceError */
  async *lines(call: Call): AsyncGenerator<string> {
    const answer = await this.#opened(call);
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of answer) {
        rest += decoder.decode(chunk as Uint8Array, { stream: true });
        if (rest.length > defaultMaxAnswer) throw tooLong(this.url);
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        yield* lines;
      }
    } catch (error) {
      if (this.#stop.aborted) throw interrupted();
      if (error instanceof StellaError) throw error;
    }
  }

  #target(path: string): URL {
    return new URL(path, this.#base);
  }

  async #opened(call: Call): Promise<IncomingMessage> {
    const answer = await this.#send(call, streamTimeout);
    if (answer.statusCode === 200) return answer;
    throw refusalOf(await this.#whole(call, answer, defaultMaxAnswer));
  }

  async #whole({ path }: Call, answer: IncomingMessage, max: number): Promise<Answer> {
    const target = this.#target(path);
    const text = await limitedText(answer, max, target.href).catch((error) => {
      throw error instanceof StellaError ? error : this.#unreachable(target, error);
    });
    const retryAfter = /^\d{1,9}$/.exec(answer.headers["retry-after"] ?? "")?.[0];
    return {
      url: target.href,
      status: answer.statusCode ?? 0,
      text,
      retryAfter: retryAfter === undefined ? undefined : Number(retryAfter),
      hasToken: this.#headers()["authorization"] !== undefined,
    };
  }

  #send(call: Call, limit = timeout): Promise<IncomingMessage> {
    const { method = "GET", path, body, headers = {} } = call;
    const target = this.#target(path);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const send = target.protocol === "https:" ? httpsRequest : httpRequest;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const type = text === undefined ? {} : { "content-type": "application/json" };
    const request = send(target, {
      method,
      headers: { ...agent, ...type, ...headers, ...this.#headers() },
      signal: this.#stop,
      timeout: limit,
      agent: this.#agent,
    }, (answer) => this.#stop.aborted ? answer.destroy() : resolve(answer));
    request.on("timeout", () => request.destroy(new Error(`no answer in ${limit / 1000} s`)));
    request.on("error", (error) => reject(this.#unreachable(target, error)));
    // On a connection that is used again, `signal` alone lets an answer through that comes just
    // then (tried).
    const stop = () => reject(interrupted());
    this.#stop.addEventListener("abort", stop);
    request.end(text);
    return promise.finally(() => this.#stop.removeEventListener("abort", stop));
  }

  #unreachable(target: URL, error: Error): StellaError {
    if (this.#stop.aborted) return interrupted();
    const reason = reasons[errnoOf(error)] ?? messageOf(error);
    return new ServiceError("unreachable", `Cannot reach ${shown(target.href)}: ${reason}`, {
      cause: error,
      hint: "start the service with `stella serve`, or name another one with --server",
    });
  }
}

/** No message about a service's URL may repeat a password. @throws StellaError usage */
export function refuseCredentials(text: string): void {
  if (!/^[^/]*\/*[^/?#]*@/.test(text)) return;
  const what = "Cannot use the URL of the service: it has credentials in it";
  throw new StellaError("argument_invalid", what, {
    hint: "put the token into a file, and name it with --token-file",
  });
}

function baseUrl(text: string): URL {
  refuseCredentials(text);
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  const what = `Cannot connect to ${shown(text)}: not an http or https URL`;
  throw new StellaError("argument_invalid", what, { hint: `write it as http://${defaultListen}` });
}

/** @throws StellaError policy where the token could be read between two machines */
function checkTransport(base: URL, isAllowed: boolean, host: Host): void {
  if (base.protocol === "https:" || isLoopbackHost(base.host)) return;
  if (isAllowed) {
    const to = escaped(base.host);
    return host.stderr(`warning: the token is sent to ${to} in the clear (--insecure-http)\n`);
  }
  const text = `Cannot send the token to ${shown(base.origin)}: plain http to another machine`;
  throw new StellaError("plain_http", text, {
    hint: "use an https URL, or add --insecure-http if you trust the network",
  });
}

function readToken(path: string): Secret {
  const text = new TextDecoder().decode(readPrivateFile("the token", path, maxToken)).trim();
  if (/^[\x21-\x7e]{1,1024}$/.test(text)) return new Secret(text);
  throw new StellaError("token_invalid", `Cannot use the token ${shown(path)}: it is not one line`);
}

export function queryText(query: Query): string {
  const given = Object.entries(query)
    .flatMap(([name, value]) => value === undefined ? [] : [[name, value]]);
  return new URLSearchParams(given).toString();
}

/** Bytes of a token's file. */
const maxToken = 64 * 1024;

async function limitedText(answer: IncomingMessage, max: number, url: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > max) throw tooLong(url);
  }
  return text + decoder.decode();
}

function tooLong(url: string): StellaError {
  const what = `Cannot read the response of ${shown(url)}: too long for a stella service`;
  return new StellaError("not_a_service", what, { hint: "name the right one with --server" });
}

/** Unlike the error of other commands it does not say that nothing was left behind. */
function interrupted(): StellaError {
  return new StellaError("interrupted", "Interrupted");
}
