/** What goes to a registry and what comes back: HTTP as far as the distribution-spec needs it. */

export interface Outgoing {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  url: URL;
  headers?: Record<string, string>;
  body?: Body;
  signal?: AbortSignal | undefined;
  /** Gets the body of a success piece by piece, whatever its size; the answer's body is then empty. @throws to end it */
  take?: (piece: Uint8Array) => void;
}

/**
 * Opened anew for every attempt; `open` yields the bytes from the offset `from` up to `size`, or throws. What it yields is good
 * until it has been asked twice more: whoever sends it waits for a piece to be gone before the second next.
 */
export interface Body {
  size: number;
  open(from?: number): AsyncIterable<Uint8Array>;
}

/**
 * Why a 401 stayed one: no credentials are known, they were refused, or the registry did not ask
 * for what is known.
 */
export type Login = "none" | "refused" | "unasked" | "token_only";

export interface Answer {
  status: number;
  /** Only with 401. */
  login?: Login;
  /** The origin that gave it, where that is not the one that was asked. */
  from?: string;
  /** By lowercase name. */
  header(name: string): string | undefined;
  /** Cut after 8 KiB where the status is an error. */
  body: Uint8Array;
}

/** The body of a success that is read at the reader's own pace; whoever got it closes it. */
export interface Stream {
  /**
   * Puts the next bytes into `buffer`, as many as have come, and waits for one at least.
   * @returns how many; 0 at the end that HTTP knows of
   * @throws StellaError where the connection ended before
   */
  read(buffer: Uint8Array): Promise<number>;
  close(): void;
}

/** An answer whose body, where it is a success, is still to be read. */
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
