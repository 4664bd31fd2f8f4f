/**
 * Opens connections. Node's client instead of fetch, because only it sends Content-Length with a
 * stream and lets us choose the address: a name is resolved once, the result is checked, and
 * exactly that address is used, so no second lookup can lead elsewhere. Proxies are not used, and
 * each redirect is checked here again.
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import net, { isIP, type LookupFunction, type Socket } from "node:net";
import tls from "node:tls";
import { directAgent } from "./direct_agent.ts";
import { exchange, type Timeouts } from "./exchange.ts";
import { RemoteError, stopped } from "./failure.ts";
import type { Answer, Outgoing, Streamed } from "./message.ts";
import type { OnRead } from "./part_connection.ts";
import { type Connect, PartPool } from "./part_pool.ts";
import type { EgressPolicy } from "../domain/egress.ts";
import { isLoopback } from "../domain/loopback.ts";
import { hostOf, portOf } from "../domain/reference.ts";
import { openExchange } from "./stream.ts";

export interface TransportOptions {
  /** PEM texts: the only trusted authorities. */
  authorities: readonly string[];
  policy: EgressPolicy;
  /** The host for which plain http was allowed; all others may use it only on loopback. */
  plainHost?: string;
  /**
   * PEM texts of the client certificate, presented to that origin only: it may refer us to others,
   * by redirects and token servers.
   */
  certificate?: { cert: string; key: string; origin: string };
  timeouts?: Timeouts;
  resolve?: (hostname: string) => Promise<LookupAddress[]>;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #plain = new http.Agent(directAgent);
  readonly #secure: https.Agent;
  /** Agent for the origin that gets the client certificate. */
  readonly #known: https.Agent;
  /** Trust settings for the peer. */
  readonly #trust: tls.SecureContextOptions & { rejectUnauthorized: true };
  readonly #parts: PartPool;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#trust = { rejectUnauthorized: true, ca: [...options.authorities] };
    this.#secure = new https.Agent({ ...directAgent, ...this.#trust });
    this.#known = new https.Agent({ ...directAgent, ...this.#trust, ...this.#shown });
    const connect: Connect = (url, turn, onread) => this.#connect(url, turn, onread);
    this.#parts = new PartPool(connect, this.#timeouts);
  }

  /** @throws RemoteError without a response; StellaError of the policy, the body or the signal */
  async send(outgoing: Outgoing): Promise<Answer> {
    this.#check(outgoing);
    return await exchange(this.#request(outgoing), outgoing, this.#timeouts);
  }

  /** Like `send`, with an unread body on success. */
  async open(outgoing: Outgoing): Promise<Streamed> {
    this.#check(outgoing);
    return await openExchange(this.#request(outgoing), outgoing, this.#timeouts);
  }

  /**
   * Reads the part of a blob that starts at `from` into `room` (part_connection.ts).
   * @returns size of the whole blob; undefined if it did not arrive and `open` has to be used
   * @throws StellaError of the policy or the signal
   */
  async fill(outgoing: Outgoing, from: number, room: Uint8Array): Promise<number | undefined> {
    this.#check(outgoing);
    const { url, headers = {}, signal } = outgoing;
    const path = url.pathname + url.search;
    return await this.#parts.fill(url, { host: url.host, path, headers, from, room, signal });
  }

  /**
   * Connects like the agents of node:http, but to one address at a time: if Deno 2.9 continues with
   * the next one by itself, a TLS connection reads beyond the given memory.
   */
  #connect(url: URL, turn: number, onread: OnRead): Socket {
    const host = hostOf(url);
    const place = { host, port: portOf(url), lookup: this.#lookup(url, turn), onread };
    const one = { ...place, autoSelectFamily: false };
    if (url.protocol !== "https:") return net.connect(one as net.NetConnectOpts);
    const name = isIP(host) === 0 ? { servername: host } : {};
    const secure = { ...this.#trust, ...(this.#isKnown(url) ? this.#shown : {}) };
    const options = { ...one, ...secure, ...name, ALPNProtocols: ["http/1.1"] };
    return tls.connect(options as tls.ConnectionOptions);
  }

  #check({ url, signal }: Outgoing): void {
    if (signal?.aborted) throw stopped(signal);
    this.#options.policy(hostOf(url), portOf(url));
    if (isIP(hostOf(url)) !== 0) this.#checkAddress(url, hostOf(url));
  }

  /** Our certificate and its key. */
  get #shown(): tls.SecureContextOptions {
    const { cert, key } = this.#options.certificate ?? {};
    return cert === undefined || key === undefined ? {} : { cert, key };
  }

  #isKnown(url: URL): boolean {
    return url.origin === this.#options.certificate?.origin;
  }

  #agentFor(url: URL): https.Agent {
    return this.#isKnown(url) ? this.#known : this.#secure;
  }

  get #timeouts(): Timeouts {
    return this.#options.timeouts ?? { connect: 5_000, stall: 60_000 };
  }

  /** Closes idle connections and those for parts. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
    this.#known.destroy();
    this.#parts.close();
  }

  #request({ method, url, headers, body }: Outgoing): http.ClientRequest {
    const secure = url.protocol === "https:";
    const host = hostOf(url);
    return (secure ? https : http).request({
      method,
      host,
      port: portOf(url),
      path: url.pathname + url.search,
      headers: { ...headers, ...(body ? { "content-length": String(body.size) } : {}) },
      agent: secure ? this.#agentFor(url) : this.#plain,
      lookup: this.#lookup(url),
      ...(secure && isIP(host) === 0 ? { servername: host } : {}),
    });
  }

  /**
   * Passes every checked address to connect, which tries them in turn: `localhost` is often ::1
   * first. With `turn` only that address.
   */
  #lookup(url: URL, turn = 0): LookupFunction {
    const resolve = this.#options.resolve ?? ((name: string) => lookup(name, { all: true }));
    return (hostname, options, done) => {
      resolve(hostname).then((addresses) => {
        for (const { address } of addresses) this.#checkAddress(url, address);
        const one = addresses[turn % addresses.length];
        if (one === undefined) throw new Error(`${hostname} has no address`);
        if (options.all) done(null, addresses);
        else done(null, one.address, one.family);
      }).catch((error) => done(error, "", 0));
    };
  }

  #checkAddress(url: URL, address: string): void {
    if (url.protocol === "https:" || isLoopback(address)) return;
    if (hostOf(url) === this.#options.plainHost) return;
    throw new RemoteError(
      "rejected",
      `${url.origin}: plain http is not allowed beyond this machine`,
      {
        hint: "use https, or allow plain http for this registry",
      },
    );
  }
}
