/** The requests of one repository, as the distribution-spec 1.1 spells them ("Pull", "Push", "Listing Referrers"). */
import { shown } from "../bundle/names.ts";
import { type Artifact, type Digest, ociTypes } from "./artifact.ts";
import type { RegistryClient } from "./client.ts";
import { refused, RegistryError, target } from "./failure.ts";
import { type Answer, type Body, bodyOf, type Outgoing } from "./message.ts";

/** Bytes with the digest they must have. */
export interface Blob extends Body {
  digest: Digest;
}

/** A manifest or index as a registry holds it. */
export interface Stored {
  bytes: Uint8Array;
  mediaType: string;
  /** For a conditional write; only where the registry gave a strong one. */
  etag?: string;
}

export class Repository {
  constructor(
    readonly client: RegistryClient,
    readonly name: string,
    readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * Uploads a blob that the repository lacks: POST, then one PUT with the whole of it.
   * @returns whether anything had to be sent
   * @throws RegistryError; whatever the blob throws while it is read
   */
  pushBlob(blob: Blob): Promise<boolean> {
    return this.#retrying(async () => {
      if (await this.#has(`blobs/${blob.digest}`, blob)) return false;
      await this.#upload(blob);
      return true;
    });
  }

  /** Puts a manifest under its digest, unless it is there. */
  pushManifest(artifact: Artifact): Promise<void> {
    return this.#retrying(async () => {
      const known = { digest: artifact.digest, size: artifact.bytes.length };
      if (!await this.#has(`manifests/${artifact.digest}`, known)) {
        await this.#put(artifact.digest, artifact);
      }
    });
  }

  /** Points a tag at a manifest that is there. */
  tag(tag: string, artifact: Artifact): Promise<void> {
    return this.#retrying(() => this.#put(tag, artifact));
  }

  /** The index behind a tag, or undefined. */
  index(tag: string): Promise<Stored | undefined> {
    return this.#retrying(async () => {
      const outgoing = this.#outgoing("GET", `manifests/${tag}`, { accept: ociTypes.index });
      const answer = await this.#ask(outgoing);
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw refused(outgoing, answer);
      return { bytes: answer.body, mediaType: mediaTypeOf(answer), ...strongEtag(answer) };
    });
  }

  /**
   * Puts an index under a tag.
   * @param etag the state that it replaces
   * @returns false where another writer was faster
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

  /** Whether the registry itself lists what refers to `digest`. Only the question tells: OCI-Subject is sent by some that do not. */
  listsReferrers(digest: Digest): Promise<boolean> {
    return this.#retrying(async () => {
      const outgoing = this.#outgoing("GET", `referrers/${digest}`, { accept: ociTypes.index });
      const answer = await this.#ask(outgoing);
      if (answer.status === 404) return false;
      if (answer.status !== 200) throw refused(outgoing, answer);
      return mediaTypeOf(answer) === ociTypes.index;
    });
  }

  /**
   * A redirect or another length is no yes: to upload once more is right, if slow. Other hosts are not asked, and some proxies
   * say 0 for every HEAD.
   */
  async #has(path: string, known: { digest: Digest; size: number }): Promise<boolean> {
    const outgoing = this.#outgoing("HEAD", path, { accept: `${ociTypes.manifest}, */*` });
    const answer = await this.#ask(outgoing);
    if (answer.status === 404 || (answer.status >= 300 && answer.status < 400)) return false;
    if (answer.status !== 200) throw refused(outgoing, answer);
    checkAnswer(outgoing, answer, known.digest);
    return Number(answer.header("content-length") ?? known.size) === known.size;
  }

  async #upload(blob: Blob): Promise<void> {
    const start = this.#outgoing("POST", "blobs/uploads/", {}, bodyOf(new Uint8Array()));
    const session = await this.#ask(start);
    if (session.status !== 202) throw refused(start, session);
    const outgoing: Outgoing = {
      method: "PUT",
      url: uploadUrl(start, session, blob.digest),
      headers: { "content-type": "application/octet-stream" },
      body: blob,
      signal: this.signal,
    };
    const answer = await this.#ask(outgoing);
    // A session that is gone, or stands elsewhere than it should, is replaced by a new one.
    const lost = answer.status === 404 || answer.status === 416;
    if (answer.status !== 201) throw refused(outgoing, answer, lost ? { passing: true } : {});
    checkAnswer(outgoing, answer, blob.digest);
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
    checkAnswer(outgoing, answer, artifact.digest);
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

  #ask(outgoing: Outgoing): Promise<Answer> {
    return this.client.ask(outgoing, `repository:${this.name}:pull,push`);
  }

  #retrying<T>(action: () => Promise<T>): Promise<T> {
    return this.client.retrying(action, this.signal);
  }
}

/**
 * Where the bytes go. It is opaque, but for its origin: credentials and content are only sent to the registry that was named
 * (the leak that GHSA-jxpm-75mh-9fp7 describes).
 */
function uploadUrl(start: Outgoing, session: Answer, digest: Digest): URL {
  const location = session.header("location");
  const url = location === undefined ? null : URL.parse(location, start.url);
  const where = target(start.method, start.url);
  if (url === null) throw new RegistryError("rejected", `${where}: the answer has no Location`);
  if (url.origin !== start.url.origin || url.username !== "" || url.password !== "") {
    throw new RegistryError("rejected", `${where}: the upload is sent away to ${url.origin}`, {
      hint: "a proxy before the registry must pass on scheme, host and port",
    });
  }
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** The registry need not say what it stored; where it does, it must be what was meant. */
function checkAnswer({ method, url }: Outgoing, answer: Answer, digest: Digest): void {
  const said = answer.header("docker-content-digest");
  if (said === undefined || said === digest) return;
  throw new RegistryError(
    "digest_mismatch",
    `${target(method, url)}: ${digest} expected, ${shown(said)} found`,
    { hint: "the registry does not hold what it was given: look at its storage" },
  );
}

function mediaTypeOf(answer: Answer): string {
  return (answer.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
}

function strongEtag(answer: Answer): { etag?: string } {
  const etag = answer.header("etag");
  return etag === undefined || !etag.startsWith('"') ? {} : { etag };
}
