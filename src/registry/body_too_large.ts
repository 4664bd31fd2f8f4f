/**
 * What to do if the registry, or a proxy before it, refuses a body as too large: 413, or 416 by
 * GHCR.
 */
import type { Blob } from "./blob.ts";
import { refused, RemoteError } from "../net/failure.ts";
import type { Answer, Outgoing } from "../net/message.ts";
import type { UploadContext } from "./upload_context.ts";

/** A body refused as too large. It is retried in smaller chunks, or whole: see `shrink`. */
export class BodyTooLarge extends RemoteError {
  /** Size of the body in bytes. */
  readonly size: number;
  readonly isWhole: boolean;

  constructor(request: Outgoing, answer: Answer, blob: Blob) {
    const { reason, message } = refused(request, answer);
    super(reason, message, { status: answer.status, hint: tooLargeHint(blob) });
    this.size = request.body?.size ?? 0;
    this.isWhole = this.size === blob.size;
  }
}

function tooLargeHint({ size, isProgram = false }: Blob): string {
  const raise = "raise the size limit of the registry or of the proxy in front of it " +
    `(nginx: client_max_body_size) above ${Math.ceil(size / 1e6)} MB`;
  return isProgram
    ? `${raise}, or export without --include-self: --volume-size does not cut the program`
    : `${raise}, or export with a smaller --volume-size`;
}

/**
 * Reduces the chunk size, or switches to a single request if even small chunks are refused: some
 * registries take no chunks.
 */
export function shrink(
  { growth, whole }: UploadContext,
  { digest }: Blob,
  refused: BodyTooLarge,
): boolean {
  if (whole.has(digest)) return false;
  const half = Math.ceil(refused.size / 2);
  if (half >= growth.min) growth.max = Math.min(growth.max, half);
  else if (refused.isWhole) return false;
  else whole.add(digest);
  return true;
}
