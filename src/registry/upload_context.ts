/** What the uploads to a repository share, and what they read from responses. */
import { shown } from "../domain/names.ts";
import type { Digest } from "../domain/hash.ts";
import { RemoteError, target } from "../net/failure.ts";
import type { Answer, Outgoing } from "../net/message.ts";
import type { RegistryClient } from "./client.ts";

/** The repository that a blob is uploaded to. */
export interface UploadContext {
  /** `<origin>/v2/<name>/blobs/uploads/`. */
  uploads: URL;
  /** Repositories of the same registry that may already have the blob. */
  mountFrom: readonly string[];
  client: Pick<RegistryClient, "uploads" | "chunk" | "timing">;
  growth: Growth;
  /** Blobs that the registry does not accept in chunks. */
  whole: Set<Digest>;
  signal: AbortSignal | undefined;
  ask(outgoing: Outgoing): Promise<Answer>;
}

/**
 * Chunks grow up to this size while they are fast, until a grown one fails. If the registry, or a
 * proxy before it, refuses a body as too large, the limit becomes half of that body: chunks shrink,
 * and blobs that would have been sent whole are sent in chunks.
 */
export interface Growth {
  max: number;
  /** Lower limit: our own, or the registry's OCI-Chunk-Min-Length. */
  min: number;
}

/** Smaller chunks are not tried. nginx accepts 1 MiB by default. */
export const minChunk = 256 * 1024;

/** Size in bytes of the first chunk of a new upload. */
export function firstChunk({ client, growth }: UploadContext): number {
  return Math.min(client.chunk, growth.max);
}

/** Bytes that the registry has: `Range: 0-<last>`. `0-0` may be none or one: taken for none. */
export function received(answer: Answer): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header("range") ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

/**
 * URL for the next bytes. It is opaque except for its origin: credentials and content are only sent
 * to the named registry (the leak described in GHSA-jxpm-75mh-9fp7).
 */
export function nextUrl(asked: Outgoing, answer: Answer): URL {
  const location = answer.header("location");
  const url = location === undefined ? null : URL.parse(location, asked.url);
  const where = target(asked);
  if (url === null) {
    throw new RemoteError("rejected", `${where}: the response has no Location`, {
      hint: "check the log of the registry and of any proxy in front of it",
    });
  }
  if (url.origin !== asked.url.origin || url.username !== "" || url.password !== "") {
    const what = `${where}: the registry sends the upload to another host: ${url.origin}`;
    throw new RemoteError("rejected", what, {
      hint: "configure the proxy in front of the registry to forward scheme, host and port",
    });
  }
  url.hash = "";
  return url;
}

/** The registry need not report what it stored; if it does, it must match. */
export function checkDigest(asked: Outgoing, answer: Answer, digest: Digest): void {
  const found = answer.header("docker-content-digest");
  if (found === undefined || found === digest) return;
  const what = `${target(asked)}: ${digest} expected, ${shown(found)} found`;
  throw new RemoteError("digest_mismatch", what, {
    hint: "check the storage of the registry: it did not store what was sent",
  });
}
