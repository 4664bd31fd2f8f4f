/**
 * Sends one blob. A small one goes as a whole, POST and PUT; a large one in chunks, POST, PATCH ..., PUT, and after whatever cut it
 * off it goes on where the registry says it stands: in this process, or in the next one if the uploads are kept (sessions.ts).
 * Source: distribution-spec 1.1, "Pushing blobs", "Pushing a blob in chunks", "Mounting a blob from another repository".
 *
 * Not every registry can go on. distribution (docker-registry, Harbor, GitLab) seals the offset into the upload's URL, so an
 * upload that was cut off inside of a chunk is lost there: it answers 404, and the blob is sent from its start.
 */
import { shown } from "../bundle/names.ts";
import type { Digest } from "./artifact.ts";
import { type Blob, BlobCursor } from "./blob.ts";
import { refused, RegistryError, target } from "./failure.ts";
import { type Answer, bodyOf, type Outgoing } from "./message.ts";
import type { UploadMemory, UploadSession } from "./sessions.ts";

/** What a blob is uploaded into: a repository, as far as it matters here. */
export interface UploadPlace {
  /** `<origin>/v2/<name>/blobs/uploads/`. */
  uploads: URL;
  /** Repositories of the same registry that may have the blob already. */
  mountFrom: readonly string[];
  memory: UploadMemory;
  /** Bytes of the first chunk; a larger blob is sent in several. */
  chunk: number;
  growth: Growth;
  /** Of blobs that the registry cannot take in chunks. */
  whole: Set<Digest>;
  signal: AbortSignal | undefined;
  ask(outgoing: Outgoing): Promise<Answer>;
}

/** Chunks grow up to so many bytes while they take no time, until one that has grown fails: a proxy may refuse what is so large. */
export interface Growth {
  largest: number;
}

/** Bytes: what is sent twice at most, where the connection is slow. */
export const defaultChunk = 32 * 1024 * 1024;
/** And where it is fast: between two chunks the registry stands still, for as long as it takes three megabytes. */
export const defaultLargestChunk = 256 * 1024 * 1024;
/** Milliseconds that a chunk may take: one that was quicker is followed by a larger one, of so many times its size at most. */
const usual = 2_000;
const steepest = 8;
const octets = { "content-type": "application/octet-stream" };

/**
 * @param confirmed told the bytes that the registry confirmed so far
 * @returns false where the blob was mounted, and nothing had to be sent
 * @throws RegistryError; whatever the blob throws while it is read
 */
export async function uploadBlob(
  place: UploadPlace,
  blob: Blob,
  confirmed: (bytes: number) => void,
): Promise<boolean> {
  if (blob.size <= place.chunk || place.whole.has(blob.digest)) {
    const begun = await begin(place, blob);
    if (begun === "mounted") return false;
    await finish(place, blob, begun.location, blob);
    return true;
  }
  const session = await resumed(place, blob) ?? await begin(place, blob);
  if (session === "mounted") return false;
  await sendChunks(place, blob, session, confirmed);
  return true;
}

/**
 * Opens an upload, or mounts the blob from where it is. Where it is not, a registry opens an upload all the same; of several that
 * were opened so the last is used, and the registry clears the others away.
 */
async function begin(place: UploadPlace, blob: Blob): Promise<UploadSession | "mounted"> {
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

function sessionOf(place: UploadPlace, blob: Blob, start: Outgoing, answer: Answer): UploadSession {
  const least = Number(answer.header("oci-chunk-min-length") ?? 0) || 0;
  const chunk = Math.max(place.chunk, Math.min(least, blob.size));
  return { location: nextUrl(start, answer).href, offset: 0, chunk };
}

/** The upload that was begun before, as the registry knows it; undefined where there is none any more. */
async function resumed(place: UploadPlace, blob: Blob): Promise<UploadSession | undefined> {
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
      return { ...kept, location: moved.href, offset };
    }
  }
  forget(place, blob);
  return undefined;
}

async function sendChunks(
  place: UploadPlace,
  blob: Blob,
  begun: UploadSession,
  confirmed: (bytes: number) => void,
): Promise<void> {
  const key = keyOf(place, blob);
  const cursor = new BlobCursor(blob);
  let session = begun;
  let chunk = session.chunk;
  try {
    place.memory.set(key, session);
    while (session.offset < blob.size) {
      const began = performance.now();
      session = await sendChunk(place, blob, { ...session, chunk }, cursor);
      chunk = nextChunk(place.growth, chunk, performance.now() - began);
      place.memory.set(key, { ...session, chunk: begun.chunk });
      confirmed(session.offset);
    }
  } catch (error) {
    if (chunk > begun.chunk) place.growth.largest = begun.chunk;
    throw error;
  } finally {
    await cursor.close();
  }
  await finish(place, blob, session.location);
  forget(place, blob);
}

async function sendChunk(
  place: UploadPlace,
  blob: Blob,
  session: UploadSession,
  cursor: BlobCursor,
): Promise<UploadSession> {
  const { offset, chunk } = session;
  const size = Math.min(chunk, blob.size - offset);
  // Before the request begins: nothing moves on the connection meanwhile.
  await cursor.seek(offset);
  const headers = { ...octets, "content-range": `${offset}-${offset + size - 1}` };
  const body = { size, open: () => cursor.take(offset, size) };
  const request = outgoing(place, "PATCH", new URL(session.location), { headers, body });
  const answer = await place.ask(request);
  if (answer.status !== 202) throw chunkRefused(place, blob, request, answer, chunk);
  if ((received(answer) ?? offset + size) !== offset + size) {
    throw unfit(place, blob, request, `it confirms ${shown(answer.header("range") ?? "")}`);
  }
  return { chunk, location: nextUrl(request, answer).href, offset: offset + size };
}

/** Bytes of the chunk after one of `chunk` bytes that took so long. */
export function nextChunk({ largest }: Growth, chunk: number, milliseconds: number): number {
  const times = Math.min(steepest, usual / milliseconds);
  return Math.max(chunk, Math.min(Math.floor(times * chunk), largest));
}

/** A lost upload is begun anew, one that stands elsewhere is asked about, and who knows no chunks gets the whole. */
function chunkRefused(
  place: UploadPlace,
  blob: Blob,
  request: Outgoing,
  answer: Answer,
  chunk: number,
): RegistryError {
  const { status } = answer;
  if (status === 404) forget(place, blob);
  // One that had grown; the first had passed.
  if (status === 413 && chunk > place.chunk) return refused(request, answer, { passing: true });
  if (status === 405 || status === 501) return unfit(place, blob, request, `${status}`);
  return refused(request, answer, status === 404 || status === 416 ? { passing: true } : {});
}

/** distribution-spec issue 590: some count chunks wrongly. What they hold is given up, and the blob sent as one. */
function unfit(place: UploadPlace, blob: Blob, { method, url }: Outgoing, found: string) {
  forget(place, blob);
  place.whole.add(blob.digest);
  const text = `${target(method, url)}: the registry does not take chunks: ${found}`;
  return new RegistryError("rejected", text, { passing: true });
}

/** Closes an upload, with all of the blob as `body` or with nothing more. */
async function finish(place: UploadPlace, blob: Blob, location: string, body?: Blob) {
  const url = new URL(location);
  url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(blob.digest)}`;
  const all = body ?? bodyOf(new Uint8Array());
  const request = outgoing(place, "PUT", url, { headers: octets, body: all });
  const answer = await place.ask(request);
  if (answer.status !== 201) {
    // A session that is gone, or stands elsewhere than it should, is replaced by a new one.
    const lost = answer.status === 404 || answer.status === 416;
    const error = refused(request, answer, lost ? { passing: true } : {});
    if (lost || !error.passing) forget(place, blob);
    throw error;
  }
  checkDigest(request, answer, blob.digest);
}

/** Whatever was begun for this blob is over. */
export function forget(place: UploadPlace, blob: Blob): void {
  place.memory.delete(keyOf(place, blob));
}

function outgoing(
  place: UploadPlace,
  method: Outgoing["method"],
  url: URL,
  more: Pick<Outgoing, "headers" | "body"> = {},
): Outgoing {
  return { method, url, signal: place.signal, ...more };
}

function keyOf({ uploads }: UploadPlace, { digest }: Blob): string {
  return `${uploads.href}@${digest}`;
}

/** How many bytes the registry has, by `Range: 0-<last>`. Nothing and one byte are both `0-0` with some: nothing is safe. */
function received(answer: Answer): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

/**
 * Where the bytes go. It is opaque, but for its origin: credentials and content are only sent to the registry that was named
 * (the leak that GHSA-jxpm-75mh-9fp7 describes).
 */
function nextUrl(asked: Outgoing, answer: Answer): URL {
  const location = answer.header("location");
  const url = location === undefined ? null : URL.parse(location, asked.url);
  const where = target(asked.method, asked.url);
  if (url === null) throw new RegistryError("rejected", `${where}: the answer has no Location`);
  if (url.origin !== asked.url.origin || url.username !== "" || url.password !== "") {
    throw new RegistryError("rejected", `${where}: the upload is sent away to ${url.origin}`, {
      hint: "a proxy before the registry must pass on scheme, host and port",
    });
  }
  url.hash = "";
  return url;
}

/** The registry need not say what it stored; where it does, it must be what was meant. */
export function checkDigest({ method, url }: Outgoing, answer: Answer, digest: Digest): void {
  const said = answer.header("docker-content-digest");
  if (said === undefined || said === digest) return;
  throw new RegistryError(
    "digest_mismatch",
    `${target(method, url)}: ${digest} expected, ${shown(said)} found`,
    { hint: "the registry does not hold what it was given: look at its storage" },
  );
}
