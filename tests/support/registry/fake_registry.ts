/**
 * A registry in memory, as the distribution-spec 1.1 has it for what a push needs, and faults on
 * demand. It is stricter than most: a PUT needs Content-Length, a manifest needs all its blobs, a
 * digest is computed and never believed.
 */
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { body, digestOf, end, fail, type Handler } from "./fake_answers.ts";
import { FakeUploads } from "./fake_uploads.ts";

export { digestOf, fail, type Handler } from "./fake_answers.ts";

/**
 * Takes the place of the registry for the requests that match, as often as given; `hits` proves that
 * it happened.
 */
export interface Fault {
  /** Against `METHOD /path`. */
  on: RegExp;
  times?: number;
  act: Handler;
}

const indexType = "application/vnd.oci.image.index.v1+json";

export class FakeRegistry extends FakeUploads {
  readonly manifests = new Map<string, { bytes: Uint8Array; type: string }>();
  /** `METHOD /path` of every request, in order. */
  readonly log: string[] = [];
  readonly authorizations: (string | undefined)[] = [];
  referrersApi = false;
  /** Referrers on one page of the list. */
  pageSize = Infinity;
  /** The origin that the next page is given as; undefined: a path alone. */
  pageOrigin: string | undefined;
  /** What that list says a manifest is; some registries say it wrongly, or nothing. */
  listedType = ({ artifactType }: { artifactType?: string }): string | undefined => artifactType;
  /** An index gets a new one on every write; undefined: none is sent or looked at. */
  etags = false;
  connections = 0;
  hits = 0;
  /** Says whether a request may pass; where not it has answered. */
  guard: ((request: http.IncomingMessage, response: http.ServerResponse) => boolean) | undefined;
  readonly #faults: Fault[] = [];
  /** Answers a range with all, as registries may. */
  ranges = true;
  readonly #server: http.Server;

  constructor(tls?: { key: string; cert: string }) {
    super();
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
    if (request.method === "PATCH") return this.patchUpload(request, response, url.pathname);
    body(request).then(
      (bytes) => this.#answer(request, response, url, bytes),
      () => response.destroy(),
    );
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
    if (isUpload && method === "POST") return this.startUpload(response, url);
    if (isUpload && method === "GET") return this.uploadStatus(response, path);
    if (kind === "blobs" && method === "GET") return this.#getBlob(request, response, name);
    if (isUpload && method === "PUT") return this.finishUpload(request, response, url, bytes);
    if (kind === "blobs" && method === "HEAD") return this.#headBlob(response, name);
    if (kind === "manifests" && method === "PUT") return this.#put(request, response, name, bytes);
    if (kind === "manifests") return this.#getManifest(response, name);
    if (kind === "referrers" && this.referrersApi) return this.#referrers(response, url, name);
    fail(response, 404, "NOT_FOUND", "no such thing");
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

  #referrers(response: http.ServerResponse, url: URL, digest: string): void {
    const all = [...this.manifests]
      .filter(([name, one]) => name.startsWith("sha256:") && subjectOf(one.bytes) === digest)
      .map(([name, { bytes, type }]) => ({
        mediaType: type,
        digest: name,
        size: bytes.length,
        artifactType: this.listedType(JSON.parse(new TextDecoder().decode(bytes))),
      }));
    const from = Number(url.searchParams.get("from") ?? 0);
    const manifests = all.slice(from, from + this.pageSize);
    const next = `${this.pageOrigin ?? ""}${url.pathname}?from=${from + this.pageSize}`;
    const isLast = from + this.pageSize >= all.length;
    response.writeHead(200, {
      "content-type": indexType,
      ...(isLast ? {} : { link: `<${next}>; rel="next"` }),
    });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  }
}

function subjectOf(bytes: Uint8Array): string | undefined {
  return JSON.parse(new TextDecoder().decode(bytes)).subject?.digest;
}
