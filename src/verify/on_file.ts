/** A look at the payload while it is verified, for who lists it or wants one file of it: nothing is read twice. */

export interface PayloadFile {
  path: string;
  size: number;
  /** 0o644 or 0o755, as the archive states it; a payload that lies as files states none and gives 0o644. */
  mode: number;
  /** As the index states it; whether the content has it is in the findings. */
  sha256: string;
}

/**
 * Called for each file before its content, in order; gives who takes the pieces, or nobody. A piece is a view that lives until
 * the call returns. What is taken is worth nothing before the verdict.
 */
export type OnFile = (file: PayloadFile) => ((piece: Uint8Array) => void) | undefined;
