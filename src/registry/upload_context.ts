/**
 * What the requests of one upload share: where it goes, how far it got, and the URL that the
 * registry wants next.
 */
import { shown } from "../domain/names.ts";
import type { Digest } from "../domain/hash.ts";
import type { Blob } from "./blob.ts";
import { RegistryError, target } from "../net/failure.ts";
import type { Answer, Outgoing } from "../net/message.ts";
import type { UploadMemory } from "./sessions.ts";

/** What a blob is uploaded into: a repository, as far as it matters here. */
export interface UploadContext {
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

/**
 * Chunks grow up to so many bytes while they take no time, until one that has grown fails. Where
 * the registry, or a proxy before it, refuses a body as too large, it is half of that body: then
 * chunks get smaller, and blobs that would have gone whole go in chunks.
 */
export interface Growth {
  max: number;
  /** Smaller ones are not tried: by our own measure, or by the registry's OCI-Chunk-Min-Length. */
  min: number;
}

/** Bytes: what is sent twice at most, where the connection is slow. */
export const defaultChunk = 32 * 1024 * 1024;
/**
 * And where it is fast: between two chunks the registry stands still, for as long as it takes three
 * megabytes.
 */
export const defaultMaxChunk = 256 * 1024 * 1024;
/**
 * Where no more are taken at once, smaller chunks are not tried. nginx takes 1 MiB where nobody has
 * said otherwise.
 */
export const minChunk = 256 * 1024;
export const octets = { "content-type": "application/octet-stream" };

/** Bytes of the first chunk of an upload that begins now. */
export function firstChunk({ chunk, growth }: UploadContext): number {
  return Math.min(chunk, growth.max);
}

/** Whatever was begun for this blob is over. */
export function forget(place: UploadContext, blob: Blob): void {
  place.memory.delete(keyOf(place, blob));
}

export function outgoing(
  place: UploadContext,
  method: Outgoing["method"],
  url: URL,
  more: Pick<Outgoing, "headers" | "body"> = {},
): Outgoing {
  return { method, url, signal: place.signal, ...more };
}

export function keyOf({ uploads }: UploadContext, { digest }: Blob): string {
  return `${uploads.href}@${digest}`;
}

/**
 * How many bytes the registry has, by `Range: 0-<last>`. Nothing and one byte are both `0-0` with
 * some: nothing is safe.
 */
export function received(answer: Answer): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

/**
 * Where the bytes go. It is opaque, but for its origin: credentials and content are only sent to
 * the registry that was named (the leak that GHSA-jxpm-75mh-9fp7 describes).
 */
export function nextUrl(asked: Outgoing, answer: Answer): URL {
  const location = answer.header("location");
  const url = location === undefined ? null : URL.parse(location, asked.url);
  const where = target(asked.method, asked.url);
  if (url === null) throw new RegistryError("rejected", `${where}: the answer has no Location`);
  if (url.origin !== asked.url.origin || url.username !== "" || url.password !== "") {
    throw new RegistryError(
      "rejected",
      `${where}: the registry sends the upload to another host: ${url.origin}`,
      {
        hint: "have the proxy before the registry pass on scheme, host and port",
      },
    );
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
    { hint: "check the storage of the registry: it did not keep what was sent" },
  );
}
