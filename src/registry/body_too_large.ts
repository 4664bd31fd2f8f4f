/**
 * What happens where the registry, or a proxy before it, refuses a body because of its size: 413,
 * or 416 of GHCR.
 */
import type { Blob } from "./blob.ts";
import { refused, RegistryError } from "../net/failure.ts";
import type { Answer, Outgoing } from "../net/message.ts";
import type { UploadContext } from "./upload_context.ts";

/**
 * A body that is refused because of its size. It is tried once more in smaller pieces, or whole:
 * see `shrink`.
 */
export class BodyTooLarge extends RegistryError {
  /** Of the body, in bytes. */
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
  const raise = "raise the size limit of the registry or the proxy before it " +
    `(nginx: client_max_body_size) above ${Math.ceil(size / 1e6)} MB`;
  return isProgram
    ? `${raise}, or export without --include-self: --volume-size does not cut the program`
    : `${raise}, or export with a smaller --volume-size`;
}

/**
 * Has less sent at once, or where even little is refused all of it: some registries take no chunks
 * of any size.
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
