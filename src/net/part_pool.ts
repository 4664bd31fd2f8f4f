/**
 * Keeps working range connections open. If a registry, or a proxy in front of it, does not respond as
 * part_connection.ts expects, it is not asked again this way: each attempt would cost a request or
 * a timeout.
 */
import type { Socket } from "node:net";
import type { Timeouts } from "./exchange.ts";
import { type OnRead, PartConnection, type PartRequest } from "./part_connection.ts";

/** @param turn selects one of the host's addresses */
export type Connect = (url: URL, turn: number, onread: OnRead) => Socket;

/** Consecutive failures on new connections before giving up. */
const maxRefused = 3;

interface Origin {
  free: PartConnection[];
  refused: number;
  /** Number of connections that failed: the next one uses the next address. */
  turn: number;
}

export class PartPool {
  readonly #origins = new Map<string, Origin>();
  readonly #all = new Set<PartConnection>();

  constructor(readonly connect: Connect, readonly timeouts: Timeouts) {}

  /** @returns size of the whole blob; undefined if the caller has to use another way */
  async fill(url: URL, request: PartRequest): Promise<number | undefined> {
    const none = (): Origin => ({ free: [], refused: 0, turn: 0 });
    const origin = this.#origins.getOrInsertComputed(url.origin, none);
    if (origin.refused >= maxRefused) return undefined;
    for (let kept = origin.free.pop(); kept !== undefined; kept = origin.free.pop()) {
      const size = await this.#ask(kept, origin, request);
      // A kept connection may have been closed meanwhile.
      if (size !== undefined || kept.isSilent || request.signal?.aborted) return size;
    }
    return await this.#askAnew(url, origin, request);
  }

  close(): void {
    for (const connection of this.#all) connection.close();
    this.#all.clear();
    this.#origins.clear();
  }

  async #askAnew(url: URL, origin: Origin, request: PartRequest): Promise<number | undefined> {
    const connect = (onread: OnRead) => this.connect(url, origin.turn, onread);
    const connection = new PartConnection(connect, url.protocol === "https:", this.timeouts);
    this.#all.add(connection);
    const size = await this.#ask(connection, origin, request);
    if (size !== undefined) origin.refused = 0;
    else if (!request.signal?.aborted) origin.refused++;
    if (!connection.wasReady) origin.turn++;
    return size;
  }

  async #ask(connection: PartConnection, origin: Origin, request: PartRequest) {
    const size = await connection.ask(request);
    if (connection.isOpen) origin.free.push(connection);
    else this.#all.delete(connection);
    // One timeout is enough.
    if (connection.isSilent) origin.refused = maxRefused;
    return size;
  }
}
