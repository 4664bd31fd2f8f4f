/**
 * Connections that only download ranges of blobs: bytes go from the socket directly into the
 * caller's memory, where node:http allocates a buffer and an event for each 64 KiB.
 *
 * Measured on a pull of 1 GiB over TLS (medians of 5 paired runs; CPU time as a ratio to skopeo,
 * peak memory): this reader 0.81 and 175 MiB; node:http with the same ranges 1.04 and 239 MiB, or
 * 1.21 and 201 MiB with garbage collected after each range. The limits are 1.0 and 200 MiB. undici
 * needs half as much CPU time again as node:http.
 *
 * This is not an HTTP client. It knows one request and one response (RFC 9110 sections 14.2 and
 * 15.3.7) and ends the connection on anything else; the caller then repeats the request through
 * transport.ts, which reports errors properly.
 */
import type { Socket } from "node:net";
import { fillYoungGeneration } from "./young_generation.ts";
import { readPartHead } from "./part_head.ts";

/** Requests the bytes from `from` to `from + room.length` of `path`, into `room`. */
export interface PartQuestion {
  /** The Host header, and the path with query. */
  host: string;
  path: string;
  headers: Record<string, string>;
  from: number;
  room: Uint8Array;
  signal: AbortSignal | undefined;
}

/**
 * Lets node:net and node:tls read into our memory: `callback` gets the number of bytes and returns
 * the next buffer.
 */
export interface OnRead {
  buffer: () => Uint8Array;
  callback: (n: number) => boolean;
}

interface Asked extends PartQuestion {
  /** Number of bytes received. */
  at: number;
  /** Size of the whole blob; known after the head of the response. */
  size: number | undefined;
  /** Whether the connection closes after this response. */
  isLast: boolean;
  done: (size: number | undefined) => void;
}

const maxHeadBytes = 16 * 1024;
/** The socket leaves garbage: this many small arrays make V8 collect it (young_generation.ts). */
const arrays = 20_000;

export class PartConnection {
  readonly #socket: Socket;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #head = new Uint8Array(maxHeadBytes);
  #headLength = 0;
  #asked: Asked | undefined;
  #wasReady = false;
  #isSilent = false;

  /**
   * @param connect starts connecting; `secure`: ready only after the TLS handshake @param limits
   * milliseconds
   */
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

  /** Whether the connection was ever established. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** Whether a response, or the rest of one, timed out. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /**
   * One request at a time. @returns size of the whole blob; undefined if the part did not arrive:
   * then the connection has ended
   */
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
    // Remains of an earlier head must not be taken for the next one.
    this.#head.fill(0);
    asked?.done(size);
  }

  /** The buffer for the next bytes; never empty, or reading would stop. */
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

/** Untrusted text, such as a token, must not contain a line end. */
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
