/**
 * The registry room: a client for OCI registries, and the push of a finished bundle.
 *
 * From the wire up: transport.ts decides who is talked to, exchange.ts carries one request through, challenge.ts answers 401,
 * retry.ts asks again, and this file puts them together; repository.ts spells the distribution-spec's requests, referrers.ts
 * hangs an attestation on a bundle, push.ts walks the order. artifact.ts says what a bundle is in a registry, as a pure
 * function, because that digest is signed. Order of a push: blobs, bundle manifest by digest, attestation, tag; so a tag never
 * points at something that cannot be verified.
 */
import { Authorizer } from "./challenge.ts";
import { refused } from "./failure.ts";
import type { Answer, Outgoing } from "./message.ts";
import type { Endpoint } from "./reference.ts";
import { Repository } from "./repository.ts";
import { type Timing, withRetries } from "./retry.ts";
import type { Credentials } from "./secret.ts";

export interface ClientOptions {
  endpoint: Endpoint;
  transport: { send(outgoing: Outgoing): Promise<Answer>; close(): void };
  timing: Timing;
  credentials?: Credentials;
}

export class RegistryClient {
  /** `HOST[:PORT]`: the log field `registry`. */
  readonly host: string;
  readonly timing: Timing;
  readonly #options: ClientOptions;
  readonly #authorizer: Authorizer;

  constructor(options: ClientOptions) {
    this.host = options.endpoint.url.host;
    this.timing = options.timing;
    this.#options = options;
    this.#authorizer = new Authorizer(
      options.credentials,
      (outgoing) => options.transport.send(outgoing),
    );
  }

  /** The URL of a path of this registry. */
  url(path: string): URL {
    return new URL(path, this.#options.endpoint.url);
  }

  /** One repository; its name has passed isRepository. All work ends when `signal` is aborted. */
  repository(name: string, signal?: AbortSignal): Repository {
    return new Repository(this, name, signal);
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

  /** Sends a request, once more where a 401 could be answered. `scope` is what a token has to allow. */
  async ask(outgoing: Outgoing, scope: string): Promise<Answer> {
    const answer = await this.#send(outgoing, scope);
    if (answer.status !== 401) return answer;
    const challenge = answer.header("www-authenticate");
    const again = await this.#authorizer.answer(challenge, scope, outgoing.signal);
    return again ? await this.#send(outgoing, scope) : answer;
  }

  /** Up to five times, as retry.ts says. */
  retrying<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return withRetries(action, this.timing, signal);
  }

  /** Ends idle connections; the client can still be used. */
  close(): void {
    this.#options.transport.close();
  }

  #send(outgoing: Outgoing, scope: string): Promise<Answer> {
    const headers = { ...outgoing.headers, ...this.#authorizer.headers(scope) };
    return this.#options.transport.send({ ...outgoing, headers });
  }
}
