/**
 * Callback for payload files during verification, to list or extract them without reading twice.
 */

export interface PayloadFile {
  path: string;
  size: number;
  /** 0o644 or 0o755 as the archive states it; 0o644 for a payload stored as files. */
  mode: number;
  /** Digest according to the index; findings say whether the content matches. */
  sha256: string;
}

/**
 * Called for each file before its content, in order; returns a consumer for the pieces, or
 * undefined. A piece is a view that is valid during the call. The data must not be used before the
 * verdict.
 */
export type OnFile = (file: PayloadFile) => ((piece: Uint8Array) => void) | undefined;
