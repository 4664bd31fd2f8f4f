/**
 * A client for OCI registries: the connections of net, with login and retries. repository.ts has
 * the requests of the distribution-spec, upload.ts sends and resumes blobs, push.ts pushes a bundle
 * and source.ts reads one for verification.
 */
import { Authorizer } from "./challenge.ts";
import { refused } from "../net/failure.ts";
import type { Answer, Outgoing, Streamed } from "../net/message.ts";
import type { Endpoint } from "../domain/reference.ts";
import { followRedirects } from "../net/redirects.ts";
import { type Action, type Timing, withRetries } from "../net/retry.ts";
import type { Transport } from "../net/transport.ts";
import type { Credentials } from "./secret.ts";
import type { UploadMemory } from "./sessions.ts";

/** Bytes: the most that is sent twice on a slow connection. */
export const defaultChunk = 32 * 1024 * 1024;
/** Between two chunks the registry idles for about the time of three fast megabytes. */
export const defaultMaxChunk = 256 * 1024 * 1024;
/** Size of one part of a download in bytes. */
const defaultPart = 4 * 1024 * 1024;

export interface ClientOptions {
  endpoint: Endpoint;
  transport: Transport;
  timing: Timing;
  credentials?: Credentials | undefined;
  /** Hosts that it may redirect reads to, as in `egress.allow`; undefined: any public one. */
  redirects?: readonly string[] | undefined;
  /** Stores unfinished uploads; without it they are known only to this client. */
  uploads?: UploadMemory | undefined;
  /** Bytes: the first chunk of an upload, the largest one, and one part of a download. */
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
    const { endpoint, credentials, transport } = options;
    const send = (outgoing: Outgoing) => transport.send(outgoing);
    this.#authorizer = new Authorizer({ endpoint, credentials, send });
  }

  /** The URL of a path of this registry. */
  url(path: string): URL {
    return new URL(path, this.#options.endpoint.url);
  }

  /** `GET /v2/` returns 200, or 401, which needs no credentials. No retries. @throws RemoteError */
  async ping(signal?: AbortSignal): Promise<void> {
    const outgoing: Outgoing = { method: "GET", url: this.url("/v2/"), signal };
    const answer = await this.#options.transport.send(outgoing);
    if (answer.status !== 200 && answer.status !== 401) throw refused(outgoing, answer);
  }

  /** Logs in where the registry asks for it, for `scope`; redirects of reads are followed. */
  ask(outgoing: Outgoing, scope: string): Promise<Answer> {
    return this.#answered(outgoing, scope, (one) => this.#options.transport.send(one));
  }

  /** Like `ask`, with an unread body on success. */
  open(outgoing: Outgoing, scope: string): Promise<Streamed> {
    return this.#answered(outgoing, scope, (one) => this.#options.transport.open(one));
  }

  /** Like Transport.fill; if the registry demands another token, use `open`. */
  fill(outgoing: Outgoing, scope: string, from: number, buffer: Uint8Array) {
    return this.#options.transport.fill(this.#withLogin(outgoing, scope), from, buffer);
  }

  /** See retry.ts. */
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
    return await followRedirects(this.#options, this.#withLogin(outgoing, scope), answer, send);
  }

  async #authorized<T extends Answer>(
    outgoing: Outgoing,
    scope: string,
    send: (outgoing: Outgoing) => Promise<T>,
  ): Promise<T> {
    const first = this.#withLogin(outgoing, scope);
    const answer = await send(first);
    if (answer.status !== 401) return answer;
    const { signal } = outgoing;
    const sent = first.headers?.["authorization"];
    const login = await this.#authorizer.answer({ answer, scope, sent, signal });
    if (login !== undefined) return { ...answer, login };
    const again = await send(this.#withLogin(outgoing, scope));
    if (again.status !== 401) return again;
    // A token obtained without credentials may not be sufficient.
    return { ...again, login: this.#options.credentials === undefined ? "none" : "refused" };
  }

  #withLogin(outgoing: Outgoing, scope: string): Outgoing {
    const headers = { ...outgoing.headers, ...this.#authorizer.headers(scope) };
    return { ...outgoing, headers };
  }
}
