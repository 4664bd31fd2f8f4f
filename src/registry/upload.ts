/**
 * Sends one blob. A small one goes as a whole, POST and PUT; a large one in chunks, POST, PATCH ..., PUT, and after whatever cut it
 * off it goes on where the registry says it stands: in this process, or in the next one if the uploads are kept (sessions.ts).
 * Source: distribution-spec 1.1, "Pushing blobs", "Pushing a blob in chunks", "Mounting a blob from another repository".
 *
 * Not every registry can go on. distribution (docker-registry, Harbor, GitLab) seals the offset into the upload's URL, so an
 * upload that was cut off inside of a chunk is lost there: it answers 404, and the blob is sent from its start.
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
 * @param confirmed told the bytes that the registry confirmed so far
 * @returns false where the blob was mounted, and nothing had to be sent
 * @throws RegistryError; whatever the blob throws while it is read
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
 * Opens an upload, or mounts the blob from where it is. Where it is not, a registry opens an upload all the same; of several that
 * were opened so the last is used, and the registry clears the others away.
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
    // Who may not read there begins as if nothing had been asked.
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

/** Closes an upload, with all of the blob as `body` or with nothing more. */
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
    // A session that is gone, or stands elsewhere than it should, is replaced by a new one.
    const lost = status === 404 || status === 416;
    const error = refused(request, answer, lost ? { isTransient: true } : {});
    if (lost || !error.isTransient) forget(place, blob);
    throw error;
  }
  checkDigest(request, answer, blob.digest);
}
