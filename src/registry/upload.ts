/**
 * Uploads one blob: a small one as a whole, POST and PUT; a large one in chunks, POST, PATCH ...,
 * PUT. Interrupted uploads resume at the registry's offset, in this process, or in the next one if
 * uploads are stored (sessions.ts). Source: distribution-spec 1.1, "Pushing blobs", "Pushing a blob
 * in chunks", "Mounting a blob from another repository".
 *
 * Not every registry can resume. distribution (docker-registry, Harbor, GitLab) signs the offset
 * into the upload's URL, so an upload interrupted within a chunk is lost there: it returns 404, and
 * the blob is sent from its start.
 */
import type { Blob } from "./blob.ts";
import { BodyTooLarge, shrink } from "./body_too_large.ts";
import { refused } from "../net/failure.ts";
import { type Answer, bodyOf, type Outgoing } from "../net/message.ts";
import type { UploadSession } from "./sessions.ts";
import { resumed, sendChunks } from "./upload_chunks.ts";
import {
  checkDigest,
  firstChunk,
  forget,
  nextUrl,
  octets,
  outgoing,
  type UploadContext,
} from "./upload_context.ts";

/**
 * @param confirmed called with the bytes confirmed by the registry
 * @returns false if the blob was mounted and nothing was sent
 * @throws RegistryError; errors of reading the blob
 */
export async function uploadBlob(
  place: UploadContext,
  blob: Blob,
  confirmed: (bytes: number) => void,
): Promise<boolean> {
  for (;;) {
    try {
      return await uploadOnce(place, blob, confirmed);
    } catch (error) {
      if (!(error instanceof BodyTooLarge) || !shrink(place, blob, error)) throw error;
    }
  }
}

async function uploadOnce(
  place: UploadContext,
  blob: Blob,
  confirmed: (bytes: number) => void,
): Promise<boolean> {
  if (blob.size <= firstChunk(place) || place.whole.has(blob.digest)) {
    const begun = await begin(place, blob);
    if (begun === "mounted") return false;
    await finish(place, blob, begun.location, blob);
    return true;
  }
  const session = await resumed(place, blob) ?? await begin(place, blob);
  if (session === "mounted") return false;
  await finish(place, blob, await sendChunks(place, blob, session, confirmed));
  forget(place, blob);
  return true;
}

/**
 * Starts an upload, or mounts the blob from another repository. If that is not possible the
 * registry starts an upload anyway; of several the last one is used, and the registry discards the
 * others.
 */
async function begin(place: UploadContext, blob: Blob): Promise<UploadSession | "mounted"> {
  let session: UploadSession | undefined;
  for (const from of place.mountFrom) {
    const url = new URL(place.uploads);
    url.search = `?mount=${encodeURIComponent(blob.digest)}&from=${from}`;
    const start = outgoing(place, "POST", url, { body: bodyOf(new Uint8Array()) });
    const answer = await place.ask(start);
    if (answer.status === 201) {
      checkDigest(start, answer, blob.digest);
      return "mounted";
    }
    // Without read access there the upload starts as if no mount had been requested.
    if (answer.status === 202) session = sessionOf(place, blob, start, answer);
  }
  if (session !== undefined) return session;
  const start = outgoing(place, "POST", place.uploads, { body: bodyOf(new Uint8Array()) });
  const answer = await place.ask(start);
  if (answer.status !== 202) throw refused(start, answer);
  return sessionOf(place, blob, start, answer);
}

function sessionOf(
  place: UploadContext,
  blob: Blob,
  start: Outgoing,
  answer: Answer,
): UploadSession {
  const least = Number(answer.header("oci-chunk-min-length") ?? 0) || 0;
  const chunk = Math.max(firstChunk(place), Math.min(least, blob.size));
  place.growth.min = Math.max(place.growth.min, least);
  return { location: nextUrl(start, answer).href, offset: 0, chunk };
}

/** Completes an upload, with the whole blob as `body` or without a body. */
async function finish(place: UploadContext, blob: Blob, location: string, body?: Blob) {
  const url = new URL(location);
  url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(blob.digest)}`;
  const all = body ?? bodyOf(new Uint8Array());
  const request = outgoing(place, "PUT", url, { headers: octets, body: all });
  const answer = await place.ask(request);
  if (answer.status !== 201) {
    const { status } = answer;
    const isLarge = status === 413 || (status === 416 && all.size > place.growth.min);
    if (body !== undefined && isLarge) throw new BodyTooLarge(request, answer, blob);
    // A session that is gone, or at an unexpected offset, is replaced by a new one.
    const lost = status === 404 || status === 416;
    const error = refused(request, answer, lost ? { isTransient: true } : {});
    if (lost || !error.isTransient) forget(place, blob);
    throw error;
  }
  checkDigest(request, answer, blob.digest);
}
