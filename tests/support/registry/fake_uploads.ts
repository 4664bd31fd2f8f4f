/**
 * The uploads of the registry in memory: opened or mounted, filled by chunks, closed by the digest
 * of all.
 */
import type http from "node:http";
import { digestOf, end, fail, joined, lengthOf } from "./fake_answers.ts";

export class FakeUploads {
  readonly blobs = new Map<string, Uint8Array>();
  /** `<repository>@<digest>` of blobs that other repositories hold. */
  readonly mountable = new Map<string, Uint8Array>();
  /**
   * Of every upload that is open, by its path, what has come. A cut request leaves what it brought,
   * as it does on a disk.
   */
  readonly sessions = new Map<string, Uint8Array[]>();
  /** Bytes of blobs that came, those of cut requests and of uploads that ended otherwise too. */
  received = 0;
  /** What a POST and a status answer say of the least size of a chunk. */
  minChunk = 0;
  /** Whether a chunk is answered without Location and Range. */
  bareChunks = false;
  #next = 0;

  /** A chunk has to begin where the upload stands: else 416, before anything is read. */
  protected patchUpload(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    path: string,
  ): void {
    const session = this.sessions.get(path);
    if (session === undefined) return fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such session");
    const [, from, to] = /^(\d+)-(\d+)$/.exec(request.headers["content-range"] ?? "") ?? [];
    if (Number(from) !== lengthOf(session)) {
      return fail(response, 416, "RANGE_INVALID", `${lengthOf(session)} bytes are here`);
    }
    request.on("data", (piece: Uint8Array) => {
      session.push(piece);
      this.received += piece.length;
    });
    request.on("end", () => {
      if (lengthOf(session) !== Number(to) + 1) return fail(response, 400, "SIZE_INVALID", "");
      end(response, 202, this.bareChunks ? {} : this.#standing(path, session));
    });
  }

  #standing(path: string, session: Uint8Array[]): Record<string, string> {
    const range = { range: `0-${Math.max(0, lengthOf(session) - 1)}` };
    return { location: `${path}?_state=a%2Bb%3D`, ...range };
  }

  protected startUpload(response: http.ServerResponse, { pathname, searchParams }: URL): void {
    const mounted = searchParams.get("mount") ?? "";
    // One store serves all repositories here, so a mount says which of them it is allowed to come
    // from.
    if (this.mountable.has(`${searchParams.get("from")}@${mounted}`)) {
      this.blobs.set(mounted, this.mountable.get(`${searchParams.get("from")}@${mounted}`)!);
      return end(response, 201, { "docker-content-digest": mounted });
    }
    const session = `${pathname}s${this.#next++}`;
    this.sessions.set(session, []);
    const least = this.minChunk === 0 ? {} : { "oci-chunk-min-length": String(this.minChunk) };
    end(response, 202, { location: `${session}?_state=a%2Bb%3D`, ...least });
  }

  protected uploadStatus(response: http.ServerResponse, path: string): void {
    const session = this.sessions.get(path);
    if (session === undefined) return fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such session");
    end(response, 204, this.#standing(path, session));
  }

  protected finishUpload(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
    bytes: Uint8Array,
  ): void {
    if (request.headers["content-length"] === undefined) {
      return fail(response, 411, "SIZE_INVALID", "a length is required");
    }
    const session = this.sessions.get(url.pathname);
    this.sessions.delete(url.pathname);
    if (session === undefined || !request.url!.includes("_state=a%2Bb%3D&")) {
      return fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such session");
    }
    this.received += bytes.length;
    bytes = joined([...session, bytes]);
    const digest = digestOf(bytes);
    if (digest !== url.searchParams.get("digest")) {
      return fail(response, 400, "DIGEST_INVALID", "the content has another digest");
    }
    this.blobs.set(digest, bytes);
    end(response, 201, { "docker-content-digest": digest });
  }
}
