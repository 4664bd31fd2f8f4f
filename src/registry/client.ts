/**
 * The registry room: a client for OCI registries, the push of a finished bundle, and the way back.
 *
 * From the wire up: transport.ts decides who is talked to, exchange.ts carries one request through, challenge.ts answers 401,
 * retry.ts asks again, and this file puts them together; repository.ts spells the distribution-spec's requests, upload.ts sends
 * blobs and goes on where it was, referrers.ts hangs an attestation on a bundle, push.ts walks the order, and source.ts reads
 * a bundle where it is, for verify. artifact.ts says what a bundle is in a registry, as a pure
 * function, because that digest is signed. Order of a push: blobs, bundle manifest by digest, attestation, tag; so a tag never
 * points at something that cannot be verified.
 */
import { Authorizer } from "./challenge.ts";
import { refused } from "../net/failure.ts";
import type { Answer, Login, Outgoing, Streamed } from "../net/message.ts";
import type { Endpoint } from "../domain/reference.ts";
import { followRedirects } from "../net/redirects.ts";
import { type Action, type Timing, withRetries } from "../net/retry.ts";
import type { Credentials } from "./secret.ts";
import type { UploadMemory } from "./sessions.ts";
import { defaultChunk, defaultMaxChunk } from "./upload_context.ts";

/** Bytes of one part of a download. */
export const defaultPart = 4 * 1024 * 1024;

export interface ClientOptions {
  endpoint: Endpoint;
  transport: {
    send(outgoing: Outgoing): Promise<Answer>;
    open(outgoing: Outgoing): Promise<Streamed>;
    fill(outgoing: Outgoing, from: number, room: Uint8Array): Promise<number | undefined>;
    close(): void;
  };
  timing: Timing;
  credentials?: Credentials;
  /** Keeps uploads that were begun; without one they are known for as long as this client lives. */
  uploads?: UploadMemory;
  /** Bytes of the first chunk of an upload, and of the largest, else all are as the first; and of one part of a download. */
  chunk?: number;
  maxChunk?: number;
  part?: number;
}

export class RegistryClient {
  /** `HOST[:PORT]`: the log field `registry`. */
  readonly host: string;
  readonly timing: Timing;
  readonly uploads: UploadMemory;
  readonly chunk: number;
  readonly maxChunk: number;
  readonly part: number;
  readonly #options: ClientOptions;
  readonly #authorizer: Authorizer;

  constructor(options: ClientOptions) {
    this.host = options.endpoint.url.host;
    this.timing = options.timing;
    this.uploads = options.uploads ?? new Map();
    this.chunk = options.chunk ?? defaultChunk;
    this.maxChunk = options.maxChunk ?? options.chunk ?? defaultMaxChunk;
    this.part = options.part ?? defaultPart;
    this.#options = options;
    const { endpoint, credentials } = options;
    this.#authorizer = new Authorizer({
      endpoint,
      credentials,
      send: (outgoing) => options.transport.send(outgoing),
    });
  }

  /** The URL of a path of this registry. */
  url(path: string): URL {
    return new URL(path, this.#options.endpoint.url);
  }

  /**
   * Whether the registry can be reached: `GET /v2/` answers 200, or 401, which needs no credentials to be true. Asked once.
   * @throws RegistryError
   */
  async ping(signal?: AbortSignal): Promise<void> {
    const outgoing: Outgoing = { method: "GET", url: this.url("/v2/"), signal };
    const answer = await this.#options.transport.send(outgoing);
    if (answer.status !== 200 && answer.status !== 401) throw refused(outgoing, answer);
  }

  /**
   * Sends a request, once more where a 401 could be answered; redirects of what is only read are
   * followed. `scope` is what a token has to allow.
   */
  ask(outgoing: Outgoing, scope: string): Promise<Answer> {
    return this.#answered(outgoing, scope, (one) => this.#options.transport.send(one));
  }

  /** As `ask`; the body of a success is left to be read. */
  open(outgoing: Outgoing, scope: string): Promise<Streamed> {
    return this.#answered(outgoing, scope, (one) => this.#options.transport.open(one));
  }

  /** As Transport.fill; where the registry asks for another token, `open` gets it. */
  fill(outgoing: Outgoing, scope: string, from: number, room: Uint8Array) {
    const headers = { ...outgoing.headers, ...this.#authorizer.headers(scope) };
    return this.#options.transport.fill({ ...outgoing, headers }, from, room);
  }

  /** Up to five times, as retry.ts says. */
  retrying<T>(action: Action<T>, signal?: AbortSignal): Promise<T> {
    return withRetries(action, this.timing, signal);
  }

  /** Ends idle connections; the client can still be used. */
  close(): void {
    this.#options.transport.close();
  }

  async #answered<T extends Answer>(
    outgoing: Outgoing,
    scope: string,
    send: (outgoing: Outgoing) => Promise<T>,
  ): Promise<T> {
    const answer = await this.#authorized(outgoing, scope, send);
    const headers = { ...outgoing.headers, ...this.#authorizer.headers(scope) };
    const { endpoint } = this.#options;
    return await followRedirects(endpoint, { ...outgoing, headers }, answer, send);
  }

  async #authorized<T extends Answer>(
    outgoing: Outgoing,
    scope: string,
    send: (outgoing: Outgoing) => Promise<T>,
  ): Promise<T> {
    const attempt = async () => {
      const secret = this.#authorizer.headers(scope);
      const answer = await send({ ...outgoing, headers: { ...outgoing.headers, ...secret } });
      return { answer, sent: secret["authorization"] };
    };
    const { answer, sent } = await attempt();
    if (answer.status !== 401) return answer;
    const { signal } = outgoing;
    const login = await this.#authorizer.answer({ answer, scope, sent, signal });
    if (login !== undefined) return { ...answer, login };
    const again = (await attempt()).answer;
    return again.status === 401 ? { ...again, login: this.#refusedLogin() } : again;
  }

  /** A token may have been had without credentials, and not be enough. */
  #refusedLogin(): Login {
    return this.#options.credentials === undefined ? "none" : "refused";
  }
}
