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
import { StellaError } from "../domain/errors.ts";
import { isLoopback } from "../domain/loopback.ts";
import { isPrivateAddress } from "../domain/private_address.ts";
import { hostOf, portOf } from "../domain/reference.ts";
import { openExchange } from "./stream.ts";

export interface TransportOptions {
  /** PEM texts: the only trusted authorities. */
  authorities: readonly string[];
  policy: EgressPolicy;
  /** The host for which plain http was allowed; all others may use it only on loopback. */
  plainHost?: string | undefined;
  /** PEM texts of the client certificate, presented to that origin only. */
  certificate?: { cert: string; key: string; origin: string } | undefined;
  timeouts?: Timeouts;
  resolve?: (hostname: string) => Promise<LookupAddress[]>;
}

export class Transport {
  readonly #options: TransportOptions;
  readonly #timeouts: Timeouts;
  /** Trust settings for the peer. */
  readonly #trust: tls.SecureContextOptions & { rejectUnauthorized: true };
  readonly #plain = new http.Agent(directAgent);
  readonly #secure: https.Agent;
  /** Agent for the origin that gets the client certificate. */
  readonly #known: https.Agent;
  readonly #parts: PartPool;
  /** Hosts with private addresses that nobody redirected to. */
  readonly #privateHosts = new Set<string>();

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#timeouts = options.timeouts ?? { connect: 5_000, stall: 60_000 };
    this.#trust = { rejectUnauthorized: true, ca: [...options.authorities] };
    this.#secure = new https.Agent({ ...directAgent, ...this.#trust });
    this.#known = new https.Agent({ ...directAgent, ...this.#trust, ...this.#ownCertificate });
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
   * Reads the part of a blob that starts at `from` into `buffer` (part_connection.ts).
   * @returns size of the whole blob; undefined if it did not arrive and `open` has to be used
   * @throws StellaError of the policy or the signal
   */
  async fill(outgoing: Outgoing, from: number, buffer: Uint8Array): Promise<number | undefined> {
    this.#check(outgoing);
    const { url, headers = {}, signal } = outgoing;
    const path = url.pathname + url.search;
    return await this.#parts.fill(url, { host: url.host, path, headers, from, buffer, signal });
  }

  /** Closes idle connections and those for parts. */
  close(): void {
    for (const agent of [this.#plain, this.#secure, this.#known]) agent.destroy();
    this.#parts.close();
  }

  /**
   * Connects like the agents of node:http, but to one address at a time: if Deno 2.9 continues with
   * the next one by itself, a TLS connection reads beyond the given memory.
   */
  #connect(url: URL, turn: number, onread: OnRead): Socket {
    const one = { ...this.#peer(url, { turn }), onread, autoSelectFamily: false };
    if (url.protocol !== "https:") return net.connect(one as net.NetConnectOpts);
    const secure = { ...this.#trust, ...(this.#isKnown(url) ? this.#ownCertificate : {}) };
    const options = { ...one, ...secure, ALPNProtocols: ["http/1.1"] };
    return tls.connect(options as tls.ConnectionOptions);
  }

  #request({ method, url, headers, body, redirectedBy }: Outgoing): http.ClientRequest {
    const secure = url.protocol === "https:";
    return (secure ? https : http).request({
      ...this.#peer(url, { redirectedBy }),
      method,
      path: url.pathname + url.search,
      headers: { ...headers, ...(body ? { "content-length": String(body.size) } : {}) },
      agent: !secure ? this.#plain : this.#isKnown(url) ? this.#known : this.#secure,
    });
  }

  /** Where to connect, and the name that the certificate must have. */
  #peer(url: URL, peer: Peer) {
    const host = hostOf(url);
    const name = url.protocol === "https:" && isIP(host) === 0 ? { servername: host } : {};
    return { host, port: portOf(url), lookup: this.#lookup(url, peer), ...name };
  }

  #check({ url, signal, redirectedBy }: Outgoing): void {
    if (signal?.aborted) throw stopped(signal);
    const host = hostOf(url);
    this.#options.policy(host, portOf(url));
    if (isIP(host) !== 0) this.#checkAddress(url, host, redirectedBy);
  }

  get #ownCertificate(): tls.SecureContextOptions {
    const { cert, key } = this.#options.certificate ?? {};
    return cert === undefined || key === undefined ? {} : { cert, key };
  }

  #isKnown(url: URL): boolean {
    return url.origin === this.#options.certificate?.origin;
  }

  /**
   * Passes every checked address to connect, which tries them in turn: `localhost` is often ::1
   * first. With `turn` only that address.
   */
  #lookup(url: URL, { turn = 0, redirectedBy }: Peer): LookupFunction {
    const resolve = this.#options.resolve ?? ((name: string) => lookup(name, { all: true }));
    return (hostname, options, done) => {
      resolve(hostname).then((addresses) => {
        for (const { address } of addresses) this.#checkAddress(url, address, redirectedBy);
        const one = addresses[turn % addresses.length];
        if (one === undefined) throw new Error(`${hostname} has no address`);
        if (options.all) done(null, addresses);
        else done(null, one.address, one.family);
      }).catch((error) => done(error, "", 0));
    };
  }

  #checkAddress(url: URL, address: string, redirectedBy?: URL): void {
    if (isPrivateAddress(address)) {
      if (redirectedBy === undefined) this.#privateHosts.add(url.hostname);
      else if (!this.#privateHosts.has(redirectedBy.hostname)) throw privateTarget(url, address);
    }
    if (url.protocol === "https:" || isLoopback(address)) return;
    if (hostOf(url) === this.#options.plainHost) return;
    const text = `${url.origin}: plain http is not allowed beyond this machine`;
    throw new RemoteError("rejected", text, {
      hint: "use https, or allow plain http for this registry",
    });
  }
}

/** With `turn` only one of the addresses; see Outgoing for the other. */
interface Peer {
  turn?: number;
  redirectedBy?: URL | undefined;
}

function privateTarget(url: URL, address: string): StellaError {
  const what =
    `Cannot connect to ${url.host}: the registry redirects to a private address, ${address}`;
  return new StellaError("egress_refused", what, {
    hint: `add ${JSON.stringify(url.host)} to redirects of the registry, if it is its storage`,
  });
}
