/**
 * Uploads a large blob in chunks: POST, PATCH ..., PUT (distribution-spec 1.1, "Pushing a blob in
 * chunks").
 */
import { shown } from "../domain/names.ts";
import { type Blob, BlobCursor } from "./blob.ts";
import { BodyTooLarge } from "./body_too_large.ts";
import { refused, RegistryError, target } from "../net/failure.ts";
import type { Answer, Outgoing } from "../net/message.ts";
import type { UploadSession } from "./sessions.ts";
import {
  firstChunk,
  forget,
  type Growth,
  keyOf,
  nextUrl,
  octets,
  outgoing,
  received,
  type UploadContext,
} from "./upload_context.ts";

/** Target duration of a chunk: after a faster one the next is larger, by this factor at most. */
const targetMilliseconds = 2_000;
const maxGrowth = 8;

/** The stored upload as the registry knows it; undefined if it no longer exists. */
export async function resumed(
  place: UploadContext,
  blob: Blob,
): Promise<UploadSession | undefined> {
  const key = keyOf(place, blob);
  const kept = place.memory.get(key);
  if (kept === undefined) return undefined;
  const url = URL.parse(kept.location);
  if (url?.origin === place.uploads.origin) {
    const question = outgoing(place, "GET", url);
    const answer = await place.ask(question);
    const wait = answer.status === 429 || answer.status >= 500;
    if (wait || answer.status === 401 || answer.status === 403) throw refused(question, answer);
    const offset = received(answer) ?? 0;
    if (answer.status === 204 && offset <= blob.size) {
      const moved = answer.header("location") === undefined ? url : nextUrl(question, answer);
      // Above the default size it is the minimum that the registry demands.
      const chunk = kept.chunk > place.chunk ? kept.chunk : Math.min(kept.chunk, firstChunk(place));
      return { location: moved.href, offset, chunk };
    }
  }
  forget(place, blob);
  return undefined;
}

/** @returns where to complete the upload */
export async function sendChunks(
  place: UploadContext,
  blob: Blob,
  begun: UploadSession,
  confirmed: (bytes: number) => void,
): Promise<string> {
  const key = keyOf(place, blob);
  const cursor = new BlobCursor(blob);
  let session = begun;
  let chunk = session.chunk;
  try {
    place.memory.set(key, session);
    while (session.offset < blob.size) {
      const began = place.elapsed();
      session = await sendChunk(place, blob, { ...session, chunk }, cursor);
      chunk = nextChunk(place.growth, chunk, place.elapsed() - began);
      place.memory.set(key, { ...session, chunk: begun.chunk });
      confirmed(session.offset);
    }
  } catch (error) {
    if (chunk > begun.chunk) place.growth.max = begun.chunk;
    throw error;
  } finally {
    await cursor.close();
  }
  return session.location;
}

async function sendChunk(
  place: UploadContext,
  blob: Blob,
  session: UploadSession,
  cursor: BlobCursor,
): Promise<UploadSession> {
  const { offset, chunk } = session;
  const size = Math.min(chunk, blob.size - offset);
  // Before the request starts, because no data moves on the connection meanwhile.
  await cursor.seek(offset);
  const headers = { ...octets, "content-range": `${offset}-${offset + size - 1}` };
  const body = { size, open: () => cursor.take(offset, size) };
  const request = outgoing(place, "PATCH", new URL(session.location), { headers, body });
  const answer = await place.ask(request);
  if (answer.status !== 202) throw await chunkRefused(place, blob, request, answer, session);
  if ((received(answer) ?? offset + size) !== offset + size) {
    throw unfit(place, blob, request, `it confirms ${shown(answer.header("range") ?? "")}`);
  }
  const next = answer.header("location") === undefined ? request.url : nextUrl(request, answer);
  return { chunk, location: next.href, offset: offset + size };
}

/** Size of the next chunk, after one of `chunk` bytes that took this long. */
export function nextChunk(
  { max: largest }: Pick<Growth, "max">,
  chunk: number,
  milliseconds: number,
): number {
  const times = Math.min(maxGrowth, targetMilliseconds / milliseconds);
  return Math.max(chunk, Math.min(Math.floor(times * chunk), largest));
}

/**
 * A lost upload starts again, an unexpected offset is queried, and without support for chunks the
 * blob is sent whole.
 */
async function chunkRefused(
  place: UploadContext,
  blob: Blob,
  request: Outgoing,
  answer: Answer,
  session: UploadSession,
): Promise<RegistryError> {
  const { status } = answer;
  if (status === 404) forget(place, blob);
  if (status === 405 || status === 501) return unfit(place, blob, request, `${status}`);
  const isLarge = status === 413 || (status === 416 && await standsAt(place, blob, session));
  if (isLarge) return new BodyTooLarge(request, answer, blob);
  return refused(request, answer, status === 404 || status === 416 ? { isTransient: true } : {});
}

/**
 * Whether the registry's 416 has another cause than the offset: GHCR sends it if a chunk is too
 * large.
 */
async function standsAt(place: UploadContext, blob: Blob, { offset }: UploadSession) {
  return (await resumed(place, blob))?.offset === offset;
}

/** Some registries count chunks wrongly. The upload is given up and the blob sent as one. */
function unfit(place: UploadContext, blob: Blob, { method, url }: Outgoing, found: string) {
  forget(place, blob);
  place.whole.add(blob.digest);
  const text = `${target(method, url)}: the registry does not take chunks: ${found}`;
  return new RegistryError("rejected", text, { isTransient: true });
}
