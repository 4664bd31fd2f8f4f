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
import { shown } from "../domain/names.ts";
import { refused, RemoteError, target } from "../net/failure.ts";
import { type Answer, bodyOf, type Outgoing } from "../net/message.ts";
import { type Blob, BlobCursor } from "./blob.ts";
import type { UploadSession } from "./sessions.ts";
import {
  checkDigest,
  firstChunk,
  type Growth,
  nextUrl,
  received,
  type UploadContext,
} from "./upload_context.ts";

/** Target duration of a chunk: after a faster one the next is larger, by this factor at most. */
const targetMilliseconds = 2_000;
const maxGrowth = 8;
const octets = { "content-type": "application/octet-stream" };
const empty = bodyOf(new Uint8Array());
const sending = "a blob was sent";

/** The registry, or a proxy in front of it, refused a body as too large: 413, or 416 by GHCR. */
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

export class Upload {
  readonly #key: string;

  /** @param confirmed called with the bytes confirmed by the registry */
  constructor(
    readonly context: UploadContext,
    readonly blob: Blob,
    readonly confirmed: (bytes: number) => void,
  ) {
    this.#key = `${context.uploads.href}@${blob.digest}`;
  }

  /** False if the blob was mounted. @throws RemoteError; errors of reading the blob */
  async run(): Promise<boolean> {
    for (;;) {
      try {
        return await this.#once();
      } catch (error) {
        if (!(error instanceof BodyTooLarge) || !this.#shrink(error)) throw error;
      }
    }
  }

  /** Discards any unfinished upload of this blob. */
  forget(): void {
    this.context.client.uploads.delete(this.#key);
  }

  /**
   * Reduces the chunk size, or switches to a single request if even small chunks are refused: some
   * registries take no chunks. False if neither is left.
   */
  #shrink({ size, isWhole }: BodyTooLarge): boolean {
    const { context: { growth, whole }, blob: { digest } } = this;
    if (whole.has(digest)) return false;
    const half = Math.ceil(size / 2);
    if (half >= growth.min) growth.max = Math.min(growth.max, half);
    else if (isWhole) return false;
    else whole.add(digest);
    return true;
  }

  async #once(): Promise<boolean> {
    const { context, blob } = this;
    if (blob.size <= firstChunk(context) || context.whole.has(blob.digest)) {
      const begun = await this.#begin();
      if (begun === "mounted") return false;
      await this.#finish(begun.location, blob);
      return true;
    }
    const session = await this.#resumed() ?? await this.#begin();
    if (session === "mounted") return false;
    await this.#finish(await this.#sendChunks(session));
    this.forget();
    return true;
  }

  /**
   * Starts an upload, or mounts the blob from another repository. If that is not possible the
   * registry starts an upload anyway; of several the last one is used, and the registry discards
   * the others.
   */
  async #begin(): Promise<UploadSession | "mounted"> {
    const { context: { uploads, mountFrom }, blob } = this;
    let session: UploadSession | undefined;
    for (const from of mountFrom) {
      const url = new URL(uploads);
      url.search = `?mount=${encodeURIComponent(blob.digest)}&from=${from}`;
      const [start, answer] = await this.#start(url);
      if (answer.status === 201) {
        checkDigest(start, answer, blob.digest);
        return "mounted";
      }
      // Without read access there the upload starts as if no mount had been requested.
      if (answer.status === 202) session = this.#sessionOf(start, answer);
    }
    if (session !== undefined) return session;
    const [start, answer] = await this.#start(uploads);
    if (answer.status !== 202) throw refused(start, answer);
    return this.#sessionOf(start, answer);
  }

  async #start(url: URL): Promise<[Outgoing, Answer]> {
    const start = this.#outgoing("POST", url, { purpose: "an upload was begun", body: empty });
    return [start, await this.context.ask(start)];
  }

  #sessionOf(start: Outgoing, answer: Answer): UploadSession {
    const { growth } = this.context;
    const least = Number(answer.header("oci-chunk-min-length") ?? 0) || 0;
    const chunk = Math.max(firstChunk(this.context), Math.min(least, this.blob.size));
    growth.min = Math.max(growth.min, least);
    return { location: nextUrl(start, answer).href, offset: 0, chunk };
  }

  /** The stored upload as the registry knows it; undefined if it no longer exists. */
  async #resumed(): Promise<UploadSession | undefined> {
    const { context, blob } = this;
    const kept = context.client.uploads.get(this.#key);
    if (kept === undefined) return undefined;
    const url = URL.parse(kept.location);
    if (url?.origin === context.uploads.origin) {
      const question = this.#outgoing("GET", url);
      const answer = await context.ask(question);
      const { status } = answer;
      if (status >= 500 || [401, 403, 429].includes(status)) throw refused(question, answer);
      const offset = received(answer) ?? 0;
      if (status === 204 && offset <= blob.size) {
        // Above the default size it is the minimum that the registry demands.
        const chunk = kept.chunk > context.client.chunk
          ? kept.chunk
          : Math.min(kept.chunk, firstChunk(context));
        return { location: following(question, answer), offset, chunk };
      }
    }
    this.forget();
    return undefined;
  }

  /** @returns where to complete the upload */
  async #sendChunks(begun: UploadSession): Promise<string> {
    const { context: { client: { uploads: memory, timing }, growth }, blob } = this;
    const cursor = new BlobCursor(blob);
    let session = begun;
    let chunk = session.chunk;
    try {
      memory.set(this.#key, session);
      while (session.offset < blob.size) {
        const began = timing.now();
        session = await this.#sendChunk({ ...session, chunk }, cursor);
        chunk = nextChunk(growth, chunk, timing.now() - began);
        memory.set(this.#key, { ...session, chunk: begun.chunk });
        this.confirmed(session.offset);
      }
    } catch (error) {
      if (chunk > begun.chunk) growth.max = begun.chunk;
      throw error;
    } finally {
      await cursor.close();
    }
    return session.location;
  }

  async #sendChunk(session: UploadSession, cursor: BlobCursor): Promise<UploadSession> {
    const { offset, chunk, location } = session;
    const size = Math.min(chunk, this.blob.size - offset);
    // Before the request starts, because no data moves on the connection meanwhile.
    await cursor.seek(offset);
    const request = this.#outgoing("PATCH", new URL(location), {
      purpose: sending,
      headers: { ...octets, "content-range": `${offset}-${offset + size - 1}` },
      body: { size, open: () => cursor.take(offset, size) },
    });
    const answer = await this.context.ask(request);
    if (answer.status !== 202) throw await this.#chunkRefused(request, answer, offset);
    if ((received(answer) ?? offset + size) !== offset + size) {
      throw this.#unfit(request, `it confirms ${shown(answer.header("range") ?? "")}`);
    }
    return { chunk, location: following(request, answer), offset: offset + size };
  }

  /** A lost upload starts again; a registry that takes no chunks gets the blob whole. */
  async #chunkRefused(request: Outgoing, answer: Answer, offset: number): Promise<RemoteError> {
    const { status } = answer;
    if (status === 404) this.forget();
    if (status === 405 || status === 501) return this.#unfit(request, `${status}`);
    // GHCR sends 416 if a chunk is too large; otherwise the offset is the cause.
    const isLarge = status === 413 ||
      (status === 416 && (await this.#resumed())?.offset === offset);
    if (isLarge) return new BodyTooLarge(request, answer, this.blob);
    return refused(request, answer, status === 404 || status === 416 ? { isTransient: true } : {});
  }

  /** Some registries count chunks wrongly. The upload is given up and the blob sent as one. */
  #unfit(request: Outgoing, found: string): RemoteError {
    this.forget();
    this.context.whole.add(this.blob.digest);
    const text = `${target(request)}: the registry does not take chunks: ${found}`;
    return new RemoteError("rejected", text, { isTransient: true });
  }

  /** Completes an upload, with the whole blob as `body` or without a body. */
  async #finish(location: string, body?: Blob): Promise<void> {
    const { context, blob } = this;
    const url = new URL(location);
    url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(blob.digest)}`;
    const all = body ?? empty;
    const request = this.#outgoing("PUT", url, { purpose: sending, headers: octets, body: all });
    const answer = await context.ask(request);
    const { status } = answer;
    if (status === 201) return checkDigest(request, answer, blob.digest);
    const isLarge = status === 413 || (status === 416 && all.size > context.growth.min);
    if (body !== undefined && isLarge) throw new BodyTooLarge(request, answer, blob);
    // A session that is gone, or at an unexpected offset, is replaced by a new one.
    const lost = status === 404 || status === 416;
    const error = refused(request, answer, lost ? { isTransient: true } : {});
    if (lost || !error.isTransient) this.forget();
    throw error;
  }

  #outgoing(
    method: Outgoing["method"],
    url: URL,
    more: Pick<Outgoing, "headers" | "body" | "purpose"> = {},
  ): Outgoing {
    return { method, url, signal: this.context.signal, ...more };
  }
}

/** Where an upload continues; without a Location at the same URL. */
function following(asked: Outgoing, answer: Answer): string {
  return (answer.header("location") === undefined ? asked.url : nextUrl(asked, answer)).href;
}

/** Size of the next chunk, after one of `chunk` bytes that took this long. */
export function nextChunk(
  { max }: Pick<Growth, "max">,
  chunk: number,
  milliseconds: number,
): number {
  const times = Math.min(maxGrowth, targetMilliseconds / milliseconds);
  return Math.max(chunk, Math.min(Math.floor(times * chunk), max));
}
