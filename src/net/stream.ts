/**
 * Like exchange.ts, but the body of a success is read by the caller: up to a megabyte is buffered
 * here and the rest in the connection, so a slow reader slows down the registry, and no timeout
 * runs while nobody reads.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { fillYoungGeneration } from "./young_generation.ts";
import type { StellaError } from "../domain/errors.ts";
import { readAnswer, responseTo, single, type Timeouts, Watch } from "./exchange.ts";
import { connectionClosed } from "./connection_failure.ts";
import type { Outgoing, Stream, Streamed } from "./message.ts";

/** @throws RemoteError without a response; StellaError of the signal */
export async function openExchange(
  request: ClientRequest,
  outgoing: Outgoing,
  timeouts: Timeouts,
): Promise<Streamed> {
  const watch = new Watch(request, outgoing, timeouts);
  try {
    const response = await responseTo(request, outgoing.body, watch);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return streamed(status, response, watch);
    const answer = await readAnswer(response, outgoing, watch);
    watch.end();
    return { ...answer, stream: undefined };
  } catch (error) {
    throw ended(watch, error);
  }
}

function streamed(status: number, response: IncomingMessage, watch: Watch): Streamed {
  const header = (name: string) => single(response.headers[name]);
  watch.idle();
  return { status, header, body: new Uint8Array(), stream: new Arrival(response, watch) };
}

const maxWaiting = 1024 * 1024;
/**
 * Bytes after which their garbage is collected, and the number of small arrays that trigger it:
 * this keeps a pull below 200 MiB. Five times as many arrays would save 10 MiB more, but cost a
 * second per gigabyte.
 */
const clearAfter = 3 * 1024 * 1024;
const arrays = 8_000;

/** Pieces come as events: an iterator costs a promise and a timer for each. */
class Arrival implements Stream {
  readonly #pieces: Uint8Array[] = [];
  /** Offset in the first piece. */
  #at = 0;
  /** Bytes of all unread pieces. */
  #waiting = 0;
  /** Bytes given since the last collection. */
  #fresh = 0;
  /** How the body ended: with an error, or completely. */
  #end: { error?: unknown } | undefined;
  #wake = () => {};

  constructor(readonly response: IncomingMessage, readonly watch: Watch) {
    response.on("data", (piece: Uint8Array) => this.#take(piece));
    response.on("end", () => this.#over({}));
    response.on("error", (error) => this.#over({ error }));
    response.on("close", () => this.#over({ error: connectionClosed() }));
  }

  async read(buffer: Uint8Array): Promise<number> {
    while (this.#waiting === 0 && this.#end === undefined) await this.#next();
    if (this.#waiting > 0) return this.#give(buffer);
    if (this.#end !== undefined && "error" in this.#end) {
      throw ended(this.watch, this.#end.error);
    }
    this.watch.end();
    return 0;
  }

  close(): void {
    this.watch.end();
    if (!this.response.complete) this.watch.request.destroy();
  }

  async #next(): Promise<void> {
    this.watch.moved();
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.watch.idle();
  }

  #take(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    if (this.#waiting >= maxWaiting) this.response.pause();
    this.#wake();
  }

  #over(end: { error?: unknown }): void {
    this.#end ??= end;
    this.#wake();
  }

  #give(buffer: Uint8Array): number {
    let filled = 0;
    for (let piece = this.#pieces[0]; piece !== undefined && filled < buffer.length;) {
      const now = piece.subarray(this.#at, this.#at + buffer.length - filled);
      buffer.set(now, filled);
      filled += now.length;
      this.#at += now.length;
      if (this.#at < piece.length) break;
      this.#at = 0;
      this.#pieces.shift();
      release(piece);
      piece = this.#pieces[0];
    }
    this.#waiting -= filled;
    if (this.#waiting < maxWaiting / 2) this.response.resume();
    this.#fresh += filled;
    if (this.#fresh >= clearAfter) {
      this.#fresh = 0;
      fillYoungGeneration(arrays);
    }
    return filled;
  }
}

/** Frees the memory at once. A piece that shares its buffer is left to the collector. */
function release({ buffer, length }: Uint8Array): void {
  if (length === buffer.byteLength) (buffer as ArrayBuffer).transfer(0);
}

/** Ends the request and returns the reason. */
function ended(watch: Watch, error: unknown): StellaError {
  const failure = watch.failure(error);
  watch.end();
  watch.request.destroy();
  return failure;
}
