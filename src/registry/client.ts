/**
 * A client for OCI registries.
 *
 * Layers: transport.ts opens connections, exchange.ts performs one request, challenge.ts answers
 * 401, retry.ts repeats requests, and this file combines them; repository.ts has the requests of
 * the distribution-spec, upload.ts sends and resumes blobs, referrers.ts attaches signatures,
 * push.ts pushes a bundle, and source.ts reads one for verification. artifact.ts computes the form
 * of a bundle in a registry as a pure function, because its digest is signed. A push sends the
 * blobs, the bundle manifest by digest, the attestation, then the tag, so a tag never points to
 * something that cannot be verified.
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

/** Size of one part of a download in bytes. */
const defaultPart = 4 * 1024 * 1024;

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
  /** Stores unfinished uploads; without it they are known only to this client. */
  uploads?: UploadMemory;
  /**
   * Sizes in bytes: the first chunk of an upload, the largest one (the same by default), and one
   * part of a download.
   */
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
   * Checks that the registry is reachable: `GET /v2/` returns 200, or 401, which needs no
   * credentials. No retries.
   * @throws RemoteError
   */
  async ping(signal?: AbortSignal): Promise<void> {
    const outgoing: Outgoing = { method: "GET", url: this.url("/v2/"), signal };
    const answer = await this.#options.transport.send(outgoing);
    if (answer.status !== 200 && answer.status !== 401) throw refused(outgoing, answer);
  }

  /**
   * Sends a request, and again after a 401 that could be answered; redirects of reads are followed.
   * `scope` is the required scope of a token.
   */
  ask(outgoing: Outgoing, scope: string): Promise<Answer> {
    return this.#answered(outgoing, scope, (one) => this.#options.transport.send(one));
  }

  /** Like `ask`, with an unread body on success. */
  open(outgoing: Outgoing, scope: string): Promise<Streamed> {
    return this.#answered(outgoing, scope, (one) => this.#options.transport.open(one));
  }

  /** Like Transport.fill; if the registry demands another token, use `open`. */
  fill(outgoing: Outgoing, scope: string, from: number, room: Uint8Array) {
    const headers = { ...outgoing.headers, ...this.#authorizer.headers(scope) };
    return this.#options.transport.fill({ ...outgoing, headers }, from, room);
  }

  /** Retries up to five times; see retry.ts. */
  retrying<T>(action: Action<T>, signal?: AbortSignal): Promise<T> {
    return withRetries(action, this.timing, signal);
  }

  /** Closes idle connections; the client can still be used. */
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

  /** A token obtained without credentials may not be sufficient. */
  #refusedLogin(): Login {
    return this.#options.credentials === undefined ? "none" : "refused";
  }
}
