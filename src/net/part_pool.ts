/**
 * Keeps working range connections open. If a registry, or a proxy before it, does not respond as
 * part_connection.ts expects, it is not asked again this way: each attempt would cost a request or
 * a timeout.
 */
import type { Socket } from "node:net";
import { type OnRead, PartConnection, type PartQuestion } from "./part_connection.ts";

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

  /** @param limits milliseconds */
  constructor(readonly connect: Connect, readonly limits: { connect: number; stall: number }) {}

  /** @returns size of the whole blob; undefined if the caller has to use another way */
  async fill(url: URL, question: PartQuestion): Promise<number | undefined> {
    const origin = this.#origins.getOrInsertComputed(
      url.origin,
      () => ({ free: [], refused: 0, turn: 0 }),
    );
    if (origin.refused >= maxRefused) return undefined;
    for (let kept = this.#take(origin); kept !== undefined; kept = this.#take(origin)) {
      const size = await this.#ask(kept, origin, question);
      // A kept connection may have been closed meanwhile.
      if (size !== undefined || kept.isSilent || question.signal?.aborted) return size;
    }
    return await this.#askAnew(url, origin, question);
  }

  close(): void {
    for (const connection of this.#all) connection.close();
    this.#all.clear();
    this.#origins.clear();
  }

  async #askAnew(url: URL, origin: Origin, question: PartQuestion): Promise<number | undefined> {
    const connect = (onread: OnRead) => this.connect(url, origin.turn, onread);
    const connection = new PartConnection(connect, url.protocol === "https:", this.limits);
    this.#all.add(connection);
    const size = await this.#ask(connection, origin, question);
    if (size !== undefined) origin.refused = 0;
    else if (!question.signal?.aborted) origin.refused++;
    if (!connection.wasReady) origin.turn++;
    return size;
  }

  async #ask(connection: PartConnection, origin: Origin, question: PartQuestion) {
    const size = await connection.ask(question);
    if (connection.isOpen) origin.free.push(connection);
    else this.#all.delete(connection);
    // One timeout is enough.
    if (connection.isSilent) origin.refused = maxRefused;
    return size;
  }

  #take({ free }: Origin): PartConnection | undefined {
    for (let one = free.pop(); one !== undefined; one = free.pop()) {
      if (one.isOpen) return one;
      this.#all.delete(one);
    }
    return undefined;
  }
}
