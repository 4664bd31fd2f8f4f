/**
 * A read position in the tar, whose pieces may be missing. The hot path is synchronous: `span`
 * returns what the current piece still holds, and the caller awaits `load` only when it is empty.
 */
import { blockSize } from "../bundle/tar_header.ts";

const nothing = new Uint8Array(0);

/** A piece of the tar, valid until the next call; `undefined` if it is not available. */
export interface Piece {
  bytes: Uint8Array | undefined;
}

/** Source of the pieces. */
export interface Pieces {
  next(): Promise<Piece | undefined>;
  /** The last piece was transferred and returns with `back`; waits for the one before. */
  transfer(back: Promise<Uint8Array>): Promise<void>;
  /** The transferred piece has returned, in another buffer. */
  replace(piece: Uint8Array): void;
}

export class TarCursor {
  #piece: Uint8Array = nothing;
  #at = 0;
  /** Set when a piece is missing; cleared by the caller once it has found its position again. */
  gap = false;
  ended = false;

  constructor(readonly pieces: Pieces) {}

  /** Bytes available without waiting. */
  get ready(): number {
    return this.#piece.length - this.#at;
  }

  /** Up to `max` bytes of the current piece; the view is valid until the next load. */
  span(max: number): Uint8Array {
    const view = this.#piece.subarray(this.#at, this.#at + max);
    this.#at += view.length;
    return view;
  }

  /**
   * Like `span`, for work that transfers the whole piece away and returns a view of it later. If
   * the span ends the piece, nobody waits for it; otherwise the cursor continues when it is back.
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

  /** Moves back by `count` bytes; false if they are not all in the current piece. */
  back(count: number): boolean {
    if (count > this.#at) return false;
    this.#at -= count;
    return true;
  }

  /**
   * Loads the next piece when the current one is used up. False at the end, and at a missing piece:
   * then the cursor is at the start of the next available piece and `gap` is set.
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

  /** The next 512 bytes; undefined at the end or at a gap. Pieces are whole blocks. */
  async block(): Promise<Uint8Array | undefined> {
    if (this.ready === 0 && !await this.load()) return undefined;
    const block = this.span(blockSize);
    return block.length === blockSize ? block : undefined;
  }
}
