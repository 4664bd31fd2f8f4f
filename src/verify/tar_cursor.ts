/**
 * A position in the tar, over pieces that may be missing. The hot path is synchronous: `span` hands out what the current piece
 * still holds, and only when it is empty does the caller wait for `load`.
 */
import { blockSize } from "../bundle/tar_header.ts";

const nothing = new Uint8Array(0);

/** A piece of the tar: its bytes, or `undefined` where they could not be had. The bytes live until the next call. */
export interface Piece {
  bytes: Uint8Array | undefined;
}

/** Where pieces come from. */
export interface Pieces {
  next(): Promise<Piece | undefined>;
  /** The piece that was handed out last comes back by `back`. Waits for the one that was lent before. */
  transfer(back: Promise<Uint8Array>): Promise<void>;
  /** It was away and has come back, in another buffer. */
  replace(piece: Uint8Array): void;
}

export class TarCursor {
  #piece: Uint8Array = nothing;
  #at = 0;
  /** Set where a piece was missing; whoever lost the place clears it. */
  gap = false;
  ended = false;

  constructor(readonly pieces: Pieces) {}

  /** Bytes that can be had without waiting. */
  get ready(): number {
    return this.#piece.length - this.#at;
  }

  /** Up to `max` bytes of the current piece; a view that lives until the next load. */
  span(max: number): Uint8Array {
    const view = this.#piece.subarray(this.#at, this.#at + max);
    this.#at += view.length;
    return view;
  }

  /**
   * As `span`, for work that takes the whole piece away and gives a view of it back later. Where the span ends the piece nobody
   * waits for that, else the cursor goes on when it is back.
   */
  async transfer(max: number, work: (span: Uint8Array) => Promise<Uint8Array>): Promise<void> {
    const { byteOffset, length } = this.#piece;
    const span = this.span(max);
    const [at, isRest] = [this.#at, this.ready === 0];
    this.#at = 0;
    this.#piece = nothing;
    const back = work(span);
    if (isRest) return await this.pieces.transfer(back);
    this.#piece = new Uint8Array((await back).buffer, byteOffset, length);
    this.#at = at;
    this.pieces.replace(this.#piece);
  }

  /** Gives back the last `count` bytes; false where they were not all in the current piece. */
  back(count: number): boolean {
    if (count > this.#at) return false;
    this.#at -= count;
    return true;
  }

  /**
   * Goes on to the next piece once the current one is used up. False at the end, and where a piece is missing: then the cursor
   * stands at the start of the next piece that is there, and `gap` is set.
   */
  async load(): Promise<boolean> {
    if (this.gap || this.ended) return false;
    for (;;) {
      const piece = await this.pieces.next();
      this.#at = 0;
      this.#piece = piece?.bytes ?? nothing;
      if (piece === undefined) this.ended = true;
      if (piece === undefined || piece.bytes !== undefined) return !this.gap && !this.ended;
      this.gap = true;
    }
  }

  /** The next block of 512 bytes; undefined at the end or at a gap. Pieces are whole blocks, so none is split. */
  async block(): Promise<Uint8Array | undefined> {
    if (this.ready === 0 && !await this.load()) return undefined;
    const block = this.span(blockSize);
    return block.length === blockSize ? block : undefined;
  }
}
