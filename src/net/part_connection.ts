/**
 * A connection that carries parts of blobs and nothing else: their bytes go from the socket straight into the caller's memory, where
 * node:http makes a buffer and an event of each 64 KiB, for three times the processor's work.
 *
 * It is no client. It knows one question and one answer (RFC 9110 sections 14.2 and 15.3.7), and ends itself at whatever else comes;
 * who asked then asks again by transport.ts, which also knows what to say of it.
 */
import type { Socket } from "node:net";
import { fillYoungGeneration } from "../domain/young_generation.ts";
import { readPartHead } from "./part_head.ts";

/** Bytes `from` up to `from + room.length` of what is at `path`, into `room`. */
export interface PartQuestion {
  /** The Host header, and path with query. */
  host: string;
  path: string;
  headers: Record<string, string>;
  from: number;
  room: Uint8Array;
  signal: AbortSignal | undefined;
}

/** What node:net and node:tls take to read into memory of ours: `callback` is told of `n` bytes, then asks for the next room. */
export interface OnRead {
  buffer: () => Uint8Array;
  callback: (n: number) => boolean;
}

interface Asked extends PartQuestion {
  /** Bytes of `room` that came. */
  at: number;
  /** Of the whole blob; known once the head of the answer is. */
  size: number | undefined;
  /** Whether nothing is answered on this connection any more. */
  isLast: boolean;
  done: (size: number | undefined) => void;
}

const maxHeadBytes = 16 * 1024;
/** What the socket read through is garbage: so many small arrays see to it that it goes (young_generation.ts). */
const arrays = 20_000;

export class PartConnection {
  readonly #socket: Socket;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #head = new Uint8Array(maxHeadBytes);
  #headLength = 0;
  #asked: Asked | undefined;
  #wasReady = false;
  #isSilent = false;

  /** @param connect begins to connect; `secure`: it is ready only after its TLS handshake @param limits milliseconds */
  constructor(
    connect: (onread: OnRead) => Socket,
    secure: boolean,
    readonly limits: { connect: number; stall: number },
  ) {
    this.#socket = connect({
      buffer: () => this.#room(),
      callback: (n) => this.#arrived(n),
    });
    this.#socket.setTimeout(limits.connect, () => {
      this.#isSilent = this.#asked !== undefined;
      this.close();
    });
    this.#socket.once(secure ? "secureConnect" : "connect", () => {
      this.#socket.setTimeout(limits.stall);
      this.#wasReady = true;
      this.#ready.resolve(true);
    });
    this.#socket.on("error", () => this.close());
    this.#socket.on("close", () => this.close());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Whether it came about. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** Whether an answer, or the rest of it, was waited for in vain. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** One at a time. @returns bytes of the whole blob; undefined where the part did not come: then the connection has ended */
  async ask(question: PartQuestion): Promise<number | undefined> {
    const abort = () => this.close();
    question.signal?.addEventListener("abort", abort);
    try {
      if (question.signal?.aborted || !isSayable(question) || !await this.#ready.promise) {
        return void this.close();
      }
      return await new Promise((done) => {
        this.#asked = { ...question, at: 0, size: undefined, isLast: false, done };
        if (this.isOpen) this.#socket.write(textOf(question), "latin1");
        else this.close();
      });
    } finally {
      question.signal?.removeEventListener("abort", abort);
    }
  }

  close(): void {
    this.#socket.destroy();
    this.#ready.resolve(false);
    this.#answer(undefined);
  }

  #answer(size: number | undefined): void {
    const asked = this.#asked;
    this.#asked = undefined;
    this.#headLength = 0;
    // What stays here of an earlier head must not pass for one that comes.
    this.#head.fill(0);
    asked?.done(size);
  }

  /** Where the next bytes belong; it is never empty, or nothing would be read any more. */
  #room(): Uint8Array {
    const asked = this.#asked;
    return asked?.size === undefined
      ? this.#head.subarray(this.#headLength)
      : asked.room.subarray(asked.at);
  }

  #arrived(n: number): boolean {
    const asked = this.#asked;
    if (asked === undefined) this.close();
    else if (asked.size === undefined) this.#headArrived(asked, n);
    else this.#bodyArrived(asked, n);
    return this.isOpen;
  }

  #headArrived(asked: Asked, n: number): void {
    this.#headLength += n;
    const bytes = this.#head.subarray(0, this.#headLength);
    const head = readPartHead(bytes, asked.from, asked.room.length);
    if (head === "incomplete" && this.#headLength < maxHeadBytes) return;
    const body = typeof head === "string" ? bytes : bytes.subarray(head.length);
    if (typeof head === "string" || body.length > asked.room.length) return this.close();
    asked.size = head.size;
    asked.isLast = head.isLast;
    asked.room.set(body);
    this.#bodyArrived(asked, body.length);
  }

  #bodyArrived(asked: Asked, n: number): void {
    asked.at += n;
    if (asked.at < asked.room.length) return;
    this.#answer(asked.size);
    if (asked.isLast) this.close();
    fillYoungGeneration(arrays);
  }
}

/** No text that came from somewhere else ends a line (a token, for one). */
function isSayable({ host, path, headers }: PartQuestion): boolean {
  const texts = [host, path, ...Object.entries(headers).flat()];
  return texts.every((text) => /^[\t\x20-\x7e]*$/.test(text)) && !path.includes(" ");
}

function textOf({ host, path, headers, from, room }: PartQuestion): string {
  const lines = Object.entries({
    host,
    connection: "keep-alive",
    ...headers,
    range: `bytes=${from}-${from + room.length - 1}`,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}
