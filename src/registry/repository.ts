/**
 * The requests of one repository, following distribution-spec 1.1 ("Pull", "Push", "Listing
 * Referrers").
 */
import { type Artifact, digestOf, ociTypes } from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import type { Blob } from "./blob.ts";
import type { RegistryClient } from "./client.ts";
import { refused, RegistryError, target } from "../net/failure.ts";
import { type Answer, type Body, bodyOf, type Outgoing, type Stream } from "../net/message.ts";
import { isDigest } from "../domain/reference.ts";
import type { Action } from "../net/retry.ts";
import { uploadBlob } from "./upload.ts";
import {
  checkDigest,
  forget,
  type Growth,
  minChunk,
  type UploadContext,
} from "./upload_context.ts";

/** A manifest or index as a registry holds it. */
export interface StoredManifest {
  bytes: Uint8Array;
  mediaType: string;
  /** For conditional writes; only if the registry sent a strong one. */
  etag?: string;
  /** The next page of a list, at the same registry. */
  next?: URL;
}

/** A blob being read. */
export interface OpenBlob {
  /** Size of the whole blob in bytes. */
  size: number;
  /** Whether the registry returned the requested range and not the whole. */
  isPart: boolean;
  stream: Stream;
}

export interface RepositoryOptions {
  access: "pull" | "push";
  /** Other repositories of the registry that may have blobs with the same content. */
  mountFrom: readonly string[];
  signal: AbortSignal | undefined;
}

/**
 * One repository; its name and those in `mountFrom` were checked by isRepository. All work ends
 * when `signal` aborts.
 */
export class Repository {
  readonly #whole = new Set<Digest>();
  readonly #growth: Growth;
  readonly options: RepositoryOptions;

  constructor(
    readonly client: RegistryClient,
    readonly name: string,
    options: Partial<RepositoryOptions> = {},
  ) {
    this.options = { access: "push", mountFrom: [], signal: undefined, ...options };
    this.#growth = { max: client.maxChunk, min: minChunk };
  }

  get signal(): AbortSignal | undefined {
    return this.options.signal;
  }

  /**
   * Uploads a blob unless the repository has it.
   * @returns whether anything was sent
   * @throws RegistryError; errors of reading the blob
   */
  pushBlob(blob: Blob): Promise<boolean> {
    let max = 0;
    return this.#retrying(async (progressed) => {
      if (await this.#has(`blobs/${blob.digest}`, blob)) {
        forget(this.#place, blob);
        return false;
      }
      return await uploadBlob(this.#place, blob, (bytes) => {
        if (bytes > max) progressed();
        max = Math.max(max, bytes);
      });
    });
  }

  /**
   * The bytes of a blob from `from` to `to`, read at the caller's pace; undefined if it does not
   * exist. If the registry does not support ranges and `from` is 0, the whole blob.
   * @throws RegistryError, also if the registry cannot start at `from`
   */
  async openBlob(
    digest: Digest,
    from: number,
    to?: number,
  ): Promise<OpenBlob | undefined> {
    const range = to === undefined ? {} : { range: `bytes=${from}-${to - 1}` };
    const outgoing = this.#outgoing("GET", `blobs/${digest}`, range);
    const answer = await this.client.open(outgoing, this.#scope);
    if (answer.status === 404) return undefined;
    if (answer.stream === undefined) throw refused(outgoing, answer);
    const size = sizeOf(answer, from);
    const isPart = answer.status === 206;
    if (size !== undefined) return { size, isPart, stream: answer.stream };
    answer.stream.close();
    const where = target(outgoing.method, outgoing.url);
    throw new RegistryError(
      "rejected",
      `${where}: the response has an invalid length or range`,
    );
  }

  /**
   * Reads the bytes of a blob from `from` on into `room`, in the fastest available way.
   * @returns size of the whole blob; undefined if openBlob has to be used
   */
  fillPart(
    digest: Digest,
    from: number,
    room: Uint8Array,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const outgoing = { ...this.#outgoing("GET", `blobs/${digest}`, {}), signal };
    return this.client.fill(outgoing, this.#scope, from, room);
  }

  /**
   * The manifest or index of a tag or digest, if it has one of the types; undefined if there is
   * none.
   */
  fetch(reference: string, types: readonly string[]): Promise<StoredManifest | undefined> {
    return this.#retrying(async () => {
      const outgoing = this.#outgoing("GET", `manifests/${reference}`, {
        accept: types.join(", "),
      });
      return await this.#stored(outgoing, isDigest(reference) ? reference : undefined);
    });
  }

  /**
   * The registry's own list of referrers of `digest`, or its page at `next`; undefined if it has
   * none.
   */
  referrers(digest: Digest, next?: URL): Promise<StoredManifest | undefined> {
    return this.#retrying(async () => {
      const first = this.#outgoing("GET", `referrers/${digest}`, { accept: ociTypes.index });
      const stored = await this.#stored(next === undefined ? first : { ...first, url: next });
      return stored?.mediaType === ociTypes.index ? stored : undefined;
    });
  }

  /** Stores a manifest under its digest unless it exists. */
  pushManifest(artifact: Artifact): Promise<void> {
    return this.#retrying(async () => {
      const known = { digest: artifact.digest, size: artifact.bytes.length };
      if (!await this.#has(`manifests/${artifact.digest}`, known)) {
        await this.#put(artifact.digest, artifact);
      }
    });
  }

  /** Points a tag at an existing manifest. */
  tag(tag: string, artifact: Artifact): Promise<void> {
    return this.#retrying(() => this.#put(tag, artifact));
  }

  /** The index of a tag, or undefined. */
  index(tag: string): Promise<StoredManifest | undefined> {
    return this.fetch(tag, [ociTypes.index]);
  }

  /**
   * Stores an index under a tag.
   * @param etag the state that it replaces
   * @returns false if another writer was faster
   */
  putIndex(tag: string, bytes: Uint8Array, etag?: string): Promise<boolean> {
    return this.#retrying(async () => {
      const outgoing = this.#outgoing("PUT", `manifests/${tag}`, {
        "content-type": ociTypes.index,
        ...(etag === undefined ? {} : { "if-match": etag }),
      }, bodyOf(bytes));
      const answer = await this.#ask(outgoing);
      if (answer.status === 412) return false;
      if (answer.status !== 201) throw refused(outgoing, answer);
      return true;
    });
  }

  /**
   * A failed redirect or another length does not count as existing: uploading again is correct,
   * only slower. Some proxies report 0 for every HEAD, and some storages only allow reading.
   */
  async #has(path: string, known: { digest: Digest; size: number }): Promise<boolean> {
    const outgoing = this.#outgoing("HEAD", path, { accept: `${ociTypes.manifest}, */*` });
    const answer = await this.#ask(outgoing);
    if (answer.status === 404 || (answer.status >= 300 && answer.status < 400)) return false;
    if (answer.status !== 200 && answer.from !== undefined) return false;
    if (answer.status !== 200) throw refused(outgoing, answer);
    checkDigest(outgoing, answer, known.digest);
    return Number(answer.header("content-length") ?? known.size) === known.size;
  }

  async #put(reference: string, artifact: Artifact): Promise<void> {
    const headers = { "content-type": ociTypes.manifest };
    const outgoing = this.#outgoing(
      "PUT",
      `manifests/${reference}`,
      headers,
      bodyOf(artifact.bytes),
    );
    const answer = await this.#ask(outgoing);
    if (answer.status !== 201) throw refused(outgoing, answer);
    checkDigest(outgoing, answer, artifact.digest);
  }

  #outgoing(
    method: Outgoing["method"],
    path: string,
    headers: Record<string, string>,
    body?: Body,
  ): Outgoing {
    const url = this.client.url(`/v2/${this.name}/${path}`);
    return { method, url, headers, signal: this.signal, ...(body === undefined ? {} : { body }) };
  }

  async #stored(outgoing: Outgoing, expected?: Digest): Promise<StoredManifest | undefined> {
    const answer = await this.#ask(outgoing);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw refused(outgoing, answer);
    const digest = digestOf(answer.body);
    checkDigest(outgoing, answer, digest);
    if (expected !== undefined && digest !== expected) {
      throw new RegistryError(
        "digest_mismatch",
        `${target(outgoing.method, outgoing.url)}: the response has the digest ${digest}`,
        { hint: "check the storage of the registry: it returned other content" },
      );
    }
    const more = { ...strongEtag(answer), ...nextPage(outgoing, answer) };
    return { bytes: answer.body, mediaType: mediaTypeOf(answer), ...more };
  }

  #ask(outgoing: Outgoing): Promise<Answer> {
    return this.client.ask(outgoing, this.#scope);
  }

  /** The required scope of a token. */
  get #scope(): string {
    const { access, mountFrom } = this.options;
    const own = `repository:${this.name}:${access === "pull" ? "pull" : "pull,push"}`;
    return [own, ...mountFrom.map((name) => `repository:${name}:pull`)].join(" ");
  }

  get #place(): UploadContext {
    return {
      uploads: this.client.url(`/v2/${this.name}/blobs/uploads/`),
      mountFrom: this.options.mountFrom,
      memory: this.client.uploads,
      chunk: this.client.chunk,
      growth: this.#growth,
      whole: this.#whole,
      signal: this.signal,
      elapsed: () => this.client.timing.now(),
      ask: (outgoing) => this.#ask(outgoing),
    };
  }

  #retrying<T>(action: Action<T>): Promise<T> {
    return this.client.retrying(action, this.signal);
  }
}

function mediaTypeOf(answer: Answer): string {
  const [type = ""] = (answer.header("content-type") ?? "").split(";");
  return type.trim().toLowerCase();
}

/** RFC 8288; credentials are sent along, so a page at another origin is refused. */
function nextPage({ url }: Outgoing, answer: Answer): { next?: URL } {
  const [, link = ""] = /<([^<>]*)>\s*;[^,]*\brel="?next\b/.exec(answer.header("link") ?? "") ?? [];
  const next = link === "" ? null : URL.parse(link, url);
  return next === null || next.origin !== url.origin ? {} : { next };
}

function strongEtag(answer: Answer): { etag?: string } {
  const etag = answer.header("etag");
  return etag === undefined || !etag.startsWith('"') ? {} : { etag };
}

/**
 * Size of the whole blob, whichever part is returned; undefined if it is not the requested part.
 */
function sizeOf(answer: Answer, from: number): number | undefined {
  const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/.exec(
    answer.header("content-range") ?? "",
  );
  if (answer.status === 206) return Number(range?.[1]) === from ? Number(range?.[2]) : undefined;
  const length = answer.header("content-length") ?? "";
  return answer.status === 200 && from === 0 && /^\d{1,15}$/.test(length)
    ? Number(length)
    : undefined;
}
