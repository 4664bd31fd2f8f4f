/**
 * A registry in memory, as the distribution-spec 1.1 has it for what a push needs, and faults on demand. It is stricter than
 * most: a PUT needs Content-Length, a manifest needs all its blobs, a digest is computed and never believed.
 */
import { createHash } from "node:crypto";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";

export type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** Takes the place of the registry for the requests that match, as often as told; `hits` proves that it happened. */
export interface Fault {
  /** Against `METHOD /path`. */
  on: RegExp;
  times?: number;
  act: Handler;
}

const indexType = "application/vnd.oci.image.index.v1+json";

export class FakeRegistry {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<string, { bytes: Uint8Array; type: string }>();
  /** `METHOD /path` of every request, in order. */
  readonly log: string[] = [];
  readonly authorizations: (string | undefined)[] = [];
  /** `<repository>@<digest>` of blobs that other repositories hold. */
  readonly mountable = new Map<string, Uint8Array>();
  referrersApi = false;
  /** An index gets a new one on every write; undefined: none is sent or looked at. */
  etags = false;
  connections = 0;
  hits = 0;
  /** Says whether a request may pass; where not it has answered. */
  guard: ((request: http.IncomingMessage, response: http.ServerResponse) => boolean) | undefined;
  readonly #faults: Fault[] = [];
  /** Of every upload that is open, by its path, what has come. A cut request leaves what it brought, as it does on a disk. */
  readonly sessions = new Map<string, Uint8Array[]>();
  /** Bytes of blobs that came, those of cut requests and of uploads that ended otherwise too. */
  received = 0;
  /** What a POST and a status answer say of the least size of a chunk. */
  leastChunk = 0;
  /** Answers a range with all, as registries may. */
  ranges = true;
  readonly #server: http.Server;
  #next = 0;

  constructor(tls?: { key: string; cert: string }) {
    const serve: Handler = (request, response) => this.#serve(request, response);
    this.#server = tls ? https.createServer(tls, serve) : http.createServer(serve);
    this.#server.on("connection", () => this.connections++);
    this.#server.on("tlsClientError", () => {});
    this.#server.on("clientError", (_, socket) => socket.destroy());
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  fault(on: RegExp, act: Handler, times = Infinity): void {
    this.#faults.push({ on, act, times });
  }

  #serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? "/", `http://${this.host}`);
    const line = `${request.method} ${url.pathname}`;
    this.log.push(line);
    this.authorizations.push(request.headers.authorization);
    const fault = this.#faults.find((one) => one.on.test(line) && (one.times ?? 0) > 0);
    if (fault !== undefined) {
      fault.times = (fault.times ?? 0) - 1;
      this.hits++;
      return fault.act(request, response);
    }
    if (this.guard !== undefined && !this.guard(request, response)) return void request.resume();
    if (request.method === "PATCH") return this.#patch(request, response, url.pathname);
    body(request).then(
      (bytes) => this.#answer(request, response, url, bytes),
      () => response.destroy(),
    );
  }

  /** A chunk has to begin where the upload stands: else 416, before anything is read. */
  #patch(request: http.IncomingMessage, response: http.ServerResponse, path: string): void {
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
      end(response, 202, this.#standing(path, session));
    });
  }

  #standing(path: string, session: Uint8Array[]): Record<string, string> {
    const range = { range: `0-${Math.max(0, lengthOf(session) - 1)}` };
    return { location: `${path}?_state=a%2Bb%3D`, ...range };
  }

  #answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    url: URL,
    bytes: Uint8Array,
  ): void {
    const { method = "" } = request;
    const path = url.pathname;
    if (path === "/v2/") return end(response, 200);
    const [, kind = "", name = ""] = /^\/v2\/.+?\/(blobs|manifests|referrers)\/(.*)$/.exec(path) ??
      [];
    const isUpload = kind === "blobs" && name.startsWith("uploads/");
    if (isUpload && method === "POST") return this.#start(response, url);
    if (isUpload && method === "GET") return this.#status(response, path);
    if (kind === "blobs" && method === "GET") return this.#getBlob(request, response, name);
    if (isUpload && method === "PUT") return this.#finish(request, response, url, bytes);
    if (kind === "blobs" && method === "HEAD") return this.#headBlob(response, name);
    if (kind === "manifests" && method === "PUT") return this.#put(request, response, name, bytes);
    if (kind === "manifests") return this.#getManifest(response, name);
    if (kind === "referrers" && this.referrersApi) return this.#referrers(response, name);
    fail(response, 404, "NOT_FOUND", "no such thing");
  }

  #start(response: http.ServerResponse, { pathname, searchParams }: URL): void {
    const mounted = searchParams.get("mount") ?? "";
    // One store serves all repositories here, so a mount says which of them it is allowed to come from.
    if (this.mountable.has(`${searchParams.get("from")}@${mounted}`)) {
      this.blobs.set(mounted, this.mountable.get(`${searchParams.get("from")}@${mounted}`)!);
      return end(response, 201, { "docker-content-digest": mounted });
    }
    const session = `${pathname}s${this.#next++}`;
    this.sessions.set(session, []);
    const least = this.leastChunk === 0 ? {} : { "oci-chunk-min-length": String(this.leastChunk) };
    end(response, 202, { location: `${session}?_state=a%2Bb%3D`, ...least });
  }

  #status(response: http.ServerResponse, path: string): void {
    const session = this.sessions.get(path);
    if (session === undefined) return fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such session");
    end(response, 204, this.#standing(path, session));
  }

  #getBlob(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    digest: string,
  ): void {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return fail(response, 404, "BLOB_UNKNOWN", "no such blob");
    const [, from = "", to = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (from === "" || !this.ranges) {
      response.writeHead(200, { "content-length": bytes.length }).end(bytes);
      return;
    }
    const part = bytes.subarray(Number(from), Number(to) + 1);
    response.writeHead(206, {
      "content-length": part.length,
      "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`,
    }).end(part);
  }

  #finish(
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

  #headBlob(response: http.ServerResponse, digest: string): void {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return end(response, 404);
    response.writeHead(200, {
      "content-length": bytes.length,
      "docker-content-digest": digest,
    }).end();
  }

  #put(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    reference: string,
    bytes: Uint8Array,
  ): void {
    const type = request.headers["content-type"] ?? "";
    const digest = digestOf(bytes);
    if (reference.startsWith("sha256:") && reference !== digest) {
      return fail(response, 400, "DIGEST_INVALID", "the manifest has another digest");
    }
    if (this.#isStale(request, reference)) return fail(response, 412, "UNKNOWN", "it has changed");
    const manifest = JSON.parse(new TextDecoder().decode(bytes));
    const missing = [manifest.config, ...(manifest.layers ?? [])]
      .find((one) => one !== undefined && !this.blobs.has(one.digest));
    if (missing) return fail(response, 400, "MANIFEST_BLOB_UNKNOWN", missing.digest);
    this.manifests.set(reference, { bytes, type });
    this.manifests.set(digest, { bytes, type });
    end(response, 201, {
      "docker-content-digest": digest,
      ...(manifest.subject && this.referrersApi ? { "oci-subject": manifest.subject.digest } : {}),
    });
  }

  #isStale(request: http.IncomingMessage, reference: string): boolean {
    const expected = request.headers["if-match"];
    if (!this.etags || expected === undefined) return false;
    const stored = this.manifests.get(reference);
    return stored === undefined || expected !== `"${digestOf(stored.bytes)}"`;
  }

  #getManifest(response: http.ServerResponse, reference: string): void {
    const stored = this.manifests.get(reference);
    if (stored === undefined) return fail(response, 404, "MANIFEST_UNKNOWN", "no such manifest");
    const digest = digestOf(stored.bytes);
    response.writeHead(200, {
      "content-type": stored.type,
      "content-length": stored.bytes.length,
      "docker-content-digest": digest,
      ...(this.etags ? { etag: `"${digest}"` } : {}),
    });
    response.end(stored.bytes);
  }

  #referrers(response: http.ServerResponse, digest: string): void {
    const manifests = [...this.manifests]
      .filter(([name, one]) => name.startsWith("sha256:") && subjectOf(one.bytes) === digest)
      .map(([name, { bytes, type }]) => ({
        mediaType: type,
        digest: name,
        size: bytes.length,
        artifactType: JSON.parse(new TextDecoder().decode(bytes)).artifactType,
      }));
    response.writeHead(200, { "content-type": indexType });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  }
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** An answer with the error body of the distribution-spec. */
export function fail(
  response: http.ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

function end(
  response: http.ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-length": "0", ...headers }).end();
}

function subjectOf(bytes: Uint8Array): string | undefined {
  return JSON.parse(new TextDecoder().decode(bytes)).subject?.digest;
}

async function body(request: http.IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece);
  return joined(pieces);
}

function lengthOf(pieces: Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function joined(pieces: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
