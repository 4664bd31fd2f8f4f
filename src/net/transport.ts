/**
 * Who is talked to. Node's client instead of fetch, because only it sends Content-Length with a
 * stream and lets us say which address is connected to (platform.md, trap 5): a name is resolved
 * once, by us, what came out is checked, and exactly that is used, so no second look-up can lead
 * elsewhere. No proxy is known, and who follows a redirect asks here again.
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import net, { isIP, type LookupFunction, type Socket } from "node:net";
import tls from "node:tls";
import { directAgent } from "./direct_agent.ts";
import { exchange, type Timeouts } from "./exchange.ts";
import { RegistryError, stopped } from "./failure.ts";
import type { Answer, Outgoing, Streamed } from "./message.ts";
import type { OnRead } from "./part_connection.ts";
import { type Connect, PartPool } from "./part_pool.ts";
import { hostOf, isLoopback, portOf } from "../domain/reference.ts";
import { openExchange } from "./stream.ts";

/** Throws a StellaError where `hostname:port` may not be talked to. */
export type Policy = (hostname: string, port: number) => void;

export interface TransportOptions {
  /** PEM texts: the only authorities that are believed. */
  authorities: readonly string[];
  policy: Policy;
  /** The host whose plain http a person allowed; all others may have it only on loopback. */
  plainHost?: string;
  /**
   * PEM texts by which we show who we are, to that origin alone: it may name others, by redirects
   * and token servers.
   */
  certificate?: { cert: string; key: string; origin: string };
  timeouts?: Timeouts;
  resolve?: (hostname: string) => Promise<LookupAddress[]>;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #plain = new http.Agent(directAgent);
  readonly #secure: https.Agent;
  /** For the origin that a client certificate is shown to. */
  readonly #known: https.Agent;
  /** What is believed of the other side. */
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

  /** @throws RegistryError where no answer came; StellaError of the policy, the body or the signal */
  async send(outgoing: Outgoing): Promise<Answer> {
    this.#check(outgoing);
    return await exchange(this.#request(outgoing), outgoing, this.#timeouts);
  }

  /** As `send`; the body of a success is left to be read. */
  async open(outgoing: Outgoing): Promise<Streamed> {
    this.#check(outgoing);
    return await openExchange(this.#request(outgoing), outgoing, this.#timeouts);
  }

  /**
   * The part of a blob that begins at the byte `from` and is as long as `room`, into `room` (part_connection.ts).
   * @returns bytes of the whole blob; undefined where it did not come and `open` is to be asked
   * @throws StellaError of the policy or the signal
   */
  async fill(outgoing: Outgoing, from: number, room: Uint8Array): Promise<number | undefined> {
    this.#check(outgoing);
    const { url, headers = {}, signal } = outgoing;
    const path = url.pathname + url.search;
    return await this.#parts.fill(url, { host: url.host, path, headers, from, room, signal });
  }

  /**
   * As the agents of node:http connect, but to one address at a time: where Deno 2.9 goes on to the next one by itself, a TLS
   * connection reads past the memory that it was given.
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

  /** Ends idle connections, and those that carry parts. */
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

  /** Hands every checked address to the connector, which tries them in turn: `localhost` is often ::1 first. Or the one whose turn it is. */
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
    throw new RegistryError("rejected", `${url.origin}: plain http would leave this machine`, {
      hint: "use https, or allow plain http for this registry",
    });
  }
}
