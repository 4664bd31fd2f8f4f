/** Performs one HTTP request, and aborts it when no data moves any more. */
import { Buffer } from "node:buffer";
import type { ClientRequest, IncomingMessage } from "node:http";
import { StellaError } from "../domain/errors.ts";
import { broken, connectionClosed } from "./connection_failure.ts";
import { RemoteError, stopped, target } from "./failure.ts";
import type { Answer, Body, Outgoing } from "./message.ts";

/** Milliseconds: to connect (including DNS and TLS), and between two bytes. */
export interface Timeouts {
  connect: number;
  stall: number;
}

/** The manifest size that every registry must accept (distribution-spec, Pushing Manifests). */
const maxAnswerBytes = 4 * 1024 * 1024;
const maxErrorBytes = 8 * 1024;
/** Checks while a stall timeout runs. */
const checksPerStall = 8;

/** @throws RemoteError without a response; StellaError of the body or the signal */
export async function exchange(
  request: ClientRequest,
  outgoing: Outgoing,
  timeouts: Timeouts,
): Promise<Answer> {
  const watch = new Watch(request, outgoing, timeouts);
  try {
    const response = await responseTo(request, outgoing.body, watch);
    return await readAnswer(response, outgoing, watch);
  } catch (error) {
    throw watch.failure(error);
  } finally {
    watch.end();
    // If the response came before the end of the body, the rest is not sent.
    if (!request.writableEnded) request.destroy();
  }
}

/** Aborts a request that does not connect or move any byte in time, and on its signal. */
export class Watch {
  /** Why the request was aborted: Node may then report any kind of reset. */
  cause: Error | undefined;
  /** Checks since the last byte moved; undefined before the connection is established. */
  #quiet: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #abort: () => void;

  constructor(
    readonly request: ClientRequest,
    readonly outgoing: Outgoing,
    readonly limit: Timeouts,
  ) {
    const { url, signal } = outgoing;
    this.#abort = () => signal && this.#stop(stopped(signal));
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.#arm(limit.connect);
    request.on("socket", (socket) => {
      // Deno 2.9 repeats a request by itself if a kept connection ends, even when we ended it.
      // retry.ts decides about that.
      request.reusedSocket = false;
      if (!socket.connecting) return this.moved();
      const ready = url.protocol === "https:" ? "secureConnect" : "connect";
      socket.once(ready, () => this.moved());
    });
  }

  /** Records progress. Called often, so the timer keeps running and checks now and then. */
  moved(): void {
    const isFirst = this.#quiet === undefined;
    this.#quiet = 0;
    if (isFirst && this.cause === undefined) this.#arm(this.limit.stall / checksPerStall);
  }

  /** Suspends the timeout. */
  idle(): void {
    this.#quiet = -Infinity;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.cause ??= new Error("the request has ended");
    this.outgoing.signal?.removeEventListener("abort", this.#abort);
  }

  /** Why the request failed, if `error` was thrown. */
  failure(error: unknown): StellaError {
    const cause = this.cause ?? error;
    return cause instanceof StellaError ? cause : broken(this.outgoing, cause);
  }

  #arm(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), milliseconds);
  }

  #look(): void {
    const { connect, stall } = this.limit;
    if (this.#quiet === undefined) return this.#late("no connection", connect);
    // The first check may follow the byte at once; after the others the time has passed.
    if (++this.#quiet > checksPerStall) return this.#late("no data", stall);
    this.#arm(stall / checksPerStall);
  }

  #late(what: string, milliseconds: number): void {
    const late = new Error(`${what} within ${milliseconds / 1000} s`);
    this.#stop(Object.assign(late, { code: "ETIMEDOUT" }));
  }

  #stop(cause: Error): void {
    this.cause ??= cause;
    this.request.destroy(cause);
  }
}

/** It may come before the body was sent: then the rest is dropped, and errors of sending too. */
export function responseTo(
  request: ClientRequest,
  body: Body | undefined,
  watch: Watch,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
    request.on("close", () => reject(connectionClosed()));
    if (body === undefined) request.end();
    else send(body, request, watch).catch(reject);
  });
}

/**
 * The last piece is sent together with the end: in Deno 2.9 a TLS connection whose request ends a
 * moment after its last piece is kept, but does not answer the next request.
 */
async function send(body: Body, request: ClientRequest, watch: Watch): Promise<void> {
  let held: Uint8Array | undefined;
  for await (const piece of body.open()) {
    if (held !== undefined && !request.write(held)) await drained(request);
    if (request.destroyed) return;
    watch.moved();
    held = piece;
  }
  if (held === undefined) request.end();
  else request.end(held);
}

/** Resolves when more can be written, or the request has ended. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off("drain", done).off("close", done);
      resolve();
    };
    request.on("drain", done).on("close", done);
    if (request.destroyed) done();
  });
}

export async function readAnswer(
  response: IncomingMessage,
  outgoing: Outgoing,
  watch: Watch,
): Promise<Answer> {
  const { take } = outgoing;
  const status = response.statusCode ?? 0;
  const max = status >= 400 ? maxErrorBytes : maxAnswerBytes;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Uint8Array>) {
    watch.moved();
    if (take !== undefined && status < 300) {
      take(piece);
      continue;
    }
    pieces.push(piece);
    size += piece.length;
    if (size > max) break;
  }
  if (size > max && status < 400) {
    throw new RemoteError("rejected", `${target(outgoing)}: received more than ${max} bytes`, {
      hint: "check host and port: no registry sends so much here",
    });
  }
  return {
    status,
    header: (name) => single(response.headers[name]),
    body: Buffer.concat(pieces).subarray(0, max),
  };
}

export function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}
