/** The requests of one repository: distribution-spec 1.1, "Pull", "Push", "Listing Referrers". */
import { type Artifact, digestOf, manifestTypes, ociTypes } from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import type { Blob } from "./blob.ts";
import type { RegistryClient } from "./client.ts";
import { explained, refused, RemoteError, target } from "../net/failure.ts";
import { type Answer, bodyOf, type Outgoing, type Stream } from "../net/message.ts";
import { shown } from "../domain/names.ts";
import { isDigest } from "../domain/reference.ts";
import type { Action } from "../net/retry.ts";
import { Upload } from "./upload.ts";
import { checkDigest, type Growth, minChunk, type UploadContext } from "./upload_context.ts";

/** Some registries answer 404 for a manifest of a type that the request does not name. */
const acceptsAll = [...manifestTypes, "*/*"].join(", ");

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

interface RepositoryOptions {
  access?: "pull" | "push";
  /** Other repositories of the registry that may have blobs with the same content. */
  mountFrom?: readonly string[];
  /** All work ends when it aborts. */
  signal?: AbortSignal | undefined;
}

/** Its name and those in `mountFrom` were checked by isRepository. */
export class Repository implements UploadContext {
  readonly uploads: URL;
  readonly mountFrom: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly whole = new Set<Digest>();
  readonly growth: Growth;
  /** The required scope of a token. */
  readonly #scope: string;
  /** For messages: `Cannot push to "oci://HOST/NAME"`. */
  readonly #action: string;

  constructor(
    readonly client: RegistryClient,
    readonly name: string,
    { access = "push", mountFrom = [], signal }: RepositoryOptions = {},
  ) {
    this.uploads = client.url(`/v2/${name}/blobs/uploads/`);
    this.mountFrom = mountFrom;
    this.signal = signal;
    this.growth = { max: client.maxChunk, min: minChunk };
    const verb = access === "pull" ? "read from" : "push to";
    this.#action = `Cannot ${verb} ${shown(`oci://${client.host}/${name}`)}`;
    const own = `repository:${name}:${access === "pull" ? "pull" : "pull,push"}`;
    this.#scope = [own, ...mountFrom.map((one) => `repository:${one}:pull`)].join(" ");
  }

  /**
   * Uploads a blob unless the repository has it. @returns whether anything was sent
   * @param isMissing the registry was asked already, and need not be before the first attempt
   */
  pushBlob(blob: Blob, isMissing = false): Promise<boolean> {
    let max = 0;
    let isKnown = isMissing;
    return this.retrying(async (progressed) => {
      const upload = new Upload(this, blob, (bytes) => {
        if (bytes > max) progressed();
        max = Math.max(max, bytes);
      });
      const isThere = !isKnown && await this.#hasBlob(blob);
      isKnown = false;
      if (!isThere) return await upload.run();
      upload.forget();
      return false;
    });
  }

  /** Whether the repository has a blob with this digest and size. */
  hasBlob(known: { digest: Digest; size: number }): Promise<boolean> {
    return this.retrying(() => this.#hasBlob(known));
  }

  /**
   * The bytes of a blob from `from` to `to`, read at the caller's pace; undefined if it does not
   * exist. The whole blob if `from` is 0 and the registry does not support ranges.
   * @throws RemoteError
   */
  async openBlob(digest: Digest, from: number, to?: number): Promise<OpenBlob | undefined> {
    const headers = to === undefined ? {} : { range: `bytes=${from}-${to - 1}` };
    const outgoing = this.#reading(`blobs/${digest}`, "a blob was read", headers);
    const answer = await this.client.open(outgoing, this.#scope);
    if (answer.status === 404) return undefined;
    if (answer.stream === undefined) throw refused(outgoing, answer);
    const size = sizeOf(answer, from);
    const isPart = answer.status === 206;
    if (size !== undefined) return { size, isPart, stream: answer.stream };
    answer.stream.close();
    const what = `${target(outgoing)}: the response has an invalid length or range`;
    throw new RemoteError("rejected", what, {
      hint: "check the log of the registry and of any proxy in front of it",
    });
  }

  /**
   * Reads the bytes of a blob from `from` on into `buffer`, in the fastest available way.
   * @returns size of the whole blob; undefined if openBlob has to be used
   */
  fillPart(
    digest: Digest,
    from: number,
    buffer: Uint8Array,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const outgoing = { ...this.#reading(`blobs/${digest}`, "a blob was read"), signal };
    return this.client.fill(outgoing, this.#scope, from, buffer);
  }

  /** The manifest or index of a tag or digest; undefined if there is none of the types. */
  fetch(reference: string, types: readonly string[]): Promise<StoredManifest | undefined> {
    const headers = { accept: types.join(", ") };
    const outgoing = this.#reading(`manifests/${reference}`, "a manifest was read", headers);
    const expected = isDigest(reference) ? reference : undefined;
    return this.retrying(() => this.#stored(outgoing, expected));
  }

  /** The registry's own list of referrers, or its page at `next`; undefined if it has none. */
  referrers(digest: Digest, next?: URL): Promise<StoredManifest | undefined> {
    const headers = { accept: ociTypes.index };
    const first = this.#reading(`referrers/${digest}`, "the referrers were listed", headers);
    return this.retrying(async () => {
      const stored = await this.#stored({ ...first, url: next ?? first.url });
      return stored?.mediaType === ociTypes.index ? stored : undefined;
    });
  }

  /** Stores a manifest under its digest unless it exists. */
  pushManifest(artifact: Artifact): Promise<void> {
    return this.retrying(async () => {
      const known = { digest: artifact.digest, size: artifact.bytes.length };
      const path = `manifests/${artifact.digest}`;
      if (await this.#has(path, "a manifest was looked for", known)) return;
      await this.#putManifest(artifact.digest, artifact);
    });
  }

  /** Whether the repository has this manifest. */
  hasManifest(known: { digest: Digest; size: number }): Promise<boolean> {
    const path = `manifests/${known.digest}`;
    return this.retrying(() => this.#has(path, "a manifest was looked for", known));
  }

  /** The digest that a tag refers to; undefined if there is no such tag. */
  tagDigest(tag: string): Promise<Digest | undefined> {
    const headers = { accept: acceptsAll };
    const reading = this.#reading(`manifests/${tag}`, "a tag was looked for", headers);
    const outgoing: Outgoing = { ...reading, method: "HEAD" };
    return this.retrying(async () => {
      const answer = await this.ask(outgoing);
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw refused(outgoing, answer);
      const digest = answer.header("docker-content-digest");
      if (digest !== undefined && isDigest(digest)) return digest;
      const stored = await this.#stored(reading);
      return stored && digestOf(stored.bytes);
    });
  }

  /** Stores a manifest under a tag, or under its digest. */
  putManifest(reference: string, artifact: Artifact): Promise<void> {
    return this.retrying(() => this.#putManifest(reference, artifact));
  }

  /** The index of a tag, or undefined. */
  index(tag: string): Promise<StoredManifest | undefined> {
    return this.fetch(tag, [ociTypes.index]);
  }

  /** Stores an index under a tag, in place of `etag`; false if another writer was faster. */
  putIndex(tag: string, bytes: Uint8Array, etag?: string): Promise<boolean> {
    const condition: Record<string, string> = etag === undefined ? {} : { "if-match": etag };
    const outgoing = this.#sending(tag, ociTypes.index, bytes, condition);
    return this.retrying(async () => {
      const answer = await this.ask(outgoing);
      if (answer.status === 412) return false;
      if (answer.status !== 201) throw refused(outgoing, answer);
      return true;
    });
  }

  #hasBlob(known: { digest: Digest; size: number }): Promise<boolean> {
    return this.#has(`blobs/${known.digest}`, "a blob was looked for", known);
  }

  /**
   * A failed redirect or another length does not count as existing: uploading again is correct,
   * only slower. Some proxies report 0 for every HEAD, and some storages only allow reading.
   */
  async #has(
    path: string,
    purpose: string,
    known: { digest: Digest; size: number },
  ): Promise<boolean> {
    const headers = { accept: acceptsAll };
    const outgoing: Outgoing = { ...this.#reading(path, purpose, headers), method: "HEAD" };
    const answer = await this.ask(outgoing);
    if (answer.status === 404 || (answer.status >= 300 && answer.status < 400)) return false;
    if (answer.status !== 200 && answer.from !== undefined) return false;
    if (answer.status !== 200) throw refused(outgoing, answer);
    checkDigest(outgoing, answer, known.digest);
    return Number(answer.header("content-length") ?? known.size) === known.size;
  }

  async #putManifest(reference: string, { bytes, digest, mediaType }: Artifact): Promise<void> {
    const outgoing = this.#sending(reference, mediaType ?? ociTypes.manifest, bytes);
    const answer = await this.ask(outgoing);
    if (answer.status !== 201) throw refused(outgoing, answer);
    checkDigest(outgoing, answer, digest);
  }

  #reading(path: string, purpose: string, headers: Record<string, string> = {}): Outgoing {
    const url = this.client.url(`/v2/${this.name}/${path}`);
    return { method: "GET", url, purpose, headers, signal: this.signal };
  }

  /** Stores a manifest or an index. */
  #sending(
    reference: string,
    type: string,
    bytes: Uint8Array,
    more: Record<string, string> = {},
  ): Outgoing {
    const headers = { "content-type": type, ...more };
    const outgoing = this.#reading(`manifests/${reference}`, "a manifest was sent", headers);
    return { ...outgoing, method: "PUT", body: bodyOf(bytes) };
  }

  async #stored(outgoing: Outgoing, expected?: Digest): Promise<StoredManifest | undefined> {
    const answer = await this.ask(outgoing);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw refused(outgoing, answer);
    const digest = digestOf(answer.body);
    checkDigest(outgoing, answer, digest);
    if (expected !== undefined && digest !== expected) {
      const what = `${target(outgoing)}: the response has the digest ${digest}`;
      throw new RemoteError("digest_mismatch", what, {
        hint: "check the storage of the registry: it returned other content",
      });
    }
    const more = { ...strongEtag(answer), ...nextPage(outgoing, answer) };
    return { bytes: answer.body, mediaType: mediaTypeOf(answer), ...more };
  }

  ask(outgoing: Outgoing): Promise<Answer> {
    return this.client.ask(outgoing, this.#scope);
  }

  /** As that of the client; the error says what could not be done. */
  retrying<T>(action: Action<T>): Promise<T> {
    return explained(this.#action, () => this.client.retrying(action, this.signal));
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

/** Size of the whole blob; undefined if the response is not the requested part. */
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
