/**
 * Connections for parts, kept while they work. Where a registry, or what stands before it, does not answer as part_connection.ts
 * knows it, no more parts are asked of it in this way: it would be waited for, or asked, in vain for each.
 */
import type { Socket } from "node:net";
import { type OnRead, PartConnection, type PartQuestion } from "./part_connection.ts";

/** @param turn which of the addresses of its name */
export type Connect = (url: URL, turn: number, onread: OnRead) => Socket;

/** Times in a row that a part may fail to come over a new connection. */
const maxRefused = 3;

interface Origin {
  free: PartConnection[];
  refused: number;
  /** Counts the connections that did not come about: the next one goes to the next address. */
  turn: number;
}

export class PartPool {
  readonly #origins = new Map<string, Origin>();
  readonly #all = new Set<PartConnection>();

  /** @param limits milliseconds */
  constructor(readonly connect: Connect, readonly limits: { connect: number; stall: number }) {}

  /** @returns bytes of the whole blob; undefined where the part is to be had in another way */
  async fill(url: URL, question: PartQuestion): Promise<number | undefined> {
    const origin = this.#origins.getOrInsertComputed(
      url.origin,
      () => ({ free: [], refused: 0, turn: 0 }),
    );
    if (origin.refused >= maxRefused) return undefined;
    for (let kept = this.#take(origin); kept !== undefined; kept = this.#take(origin)) {
      const size = await this.#ask(kept, origin, question);
      // That a kept connection has ended meanwhile says nothing.
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
    // To be waited for once is enough.
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
