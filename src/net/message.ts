/** HTTP requests and responses, as far as the distribution-spec needs them. */

export interface Outgoing {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  url: URL;
  /** What the connection was for, if it breaks: `a blob was sent`. */
  purpose?: string;
  headers?: Record<string, string>;
  body?: Body;
  signal?: AbortSignal | undefined;
  /** Connect to no private address, unless this host has one. */
  redirectedBy?: URL | undefined;
  /**
   * Receives the body of a success in pieces, whatever its size; the response's body is then empty.
   * @throws to abort
   */
  take?: (piece: Uint8Array) => void;
}

/**
 * Opened again for each attempt; `open` yields the bytes from offset `from` to `size`, or throws. A
 * piece stays valid until two more were requested: the sender waits for a piece to be sent before
 * the second next.
 */
export interface Body {
  size: number;
  open(from?: number): AsyncIterable<Uint8Array>;
}

/** Why a 401 could not be answered. */
export type Login = "none" | "refused" | "unasked" | "token_only";

export interface Answer {
  status: number;
  /** Only with status 401. */
  login?: Login;
  /** The origin that responded, if it is not the requested one. */
  from?: string;
  /** By lowercase name. */
  header(name: string): string | undefined;
  /** Cut to 8 KiB if the status is an error. */
  body: Uint8Array;
}

/** The body of a successful response, read at the caller's pace; the caller closes it. */
export interface Stream {
  /**
   * Reads the available bytes into `buffer`, waiting for at least one.
   * @returns their number; 0 at the end according to HTTP
   * @throws StellaError if the connection ended before
   */
  read(buffer: Uint8Array): Promise<number>;
  close(): void;
}

/** A response whose body, if it is a success, has not been read yet. */
export interface Streamed extends Answer {
  stream: Stream | undefined;
}

/** A body that is already in memory. */
export function bodyOf(bytes: Uint8Array): Body {
  return {
    size: bytes.length,
    async *open(from = 0) {
      if (bytes.length > from) yield await Promise.resolve(bytes.subarray(from));
    },
  };
}
