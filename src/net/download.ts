/**
 * Downloads a URL to a file, for content pinned by its digest. It uses the common transport with
 * its egress policy, follows no redirect, and leaves no file with other content.
 */
import { closeSync, ftruncateSync, openSync, rmSync } from "node:fs";
import { writeAll } from "../domain/durable.ts";
import { startSha256 } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import { finding, StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { refused, RemoteError } from "./failure.ts";
import type { Outgoing } from "./message.ts";
import { authorities } from "./authorities.ts";
import { type Timing, withRetries } from "./retry.ts";
import { Transport, type TransportOptions } from "./transport.ts";

export interface Download {
  /** `https://...`; plain http only on loopback. */
  url: string;
  /** Lowercase hex digest of the whole content. */
  sha256: string;
  /** Path of a PEM file with the only trusted authorities. */
  ca?: string;
  /** Path of the new file. */
  to: string;
}

export interface DownloadOptions extends Pick<TransportOptions, "policy" | "timeouts" | "resolve"> {
  timing: Timing;
  signal?: AbortSignal | undefined;
  /** Bytes. */
  max?: number;
}

const defaultMaxBytes = 4 * 1024 ** 3;

/** @throws StellaError policy, remote, io, differs */
export async function download(what: Download, options: DownloadOptions): Promise<void> {
  const { timing, signal, max = defaultMaxBytes, ...network } = options;
  const url = new URL(what.url);
  const secure = url.protocol === "https:";
  const transport = new Transport({ ...network, authorities: secure ? authorities(what.ca) : [] });
  const file = new NewFile(what.to, max);
  try {
    const get = () => fetchInto(file, { method: "GET", url, signal }, transport);
    await withRetries(get, timing, signal);
    file.check(what);
  } catch (error) {
    file.remove();
    throw error;
  } finally {
    file.close();
    transport.close();
  }
}

async function fetchInto(file: NewFile, outgoing: Outgoing, transport: Transport): Promise<void> {
  file.restart();
  const answer = await transport.send({ ...outgoing, take: (piece) => file.add(piece) });
  if (answer.status !== 200) {
    const hint = answer.status >= 300 && answer.status < 400
      ? "redirects are not followed: name the URL that it leads to"
      : "check the URL";
    throw refused(outgoing, answer, { hint });
  }
}

class NewFile {
  readonly #fd: number;
  #hash = startSha256();
  #size = 0;

  constructor(readonly path: string, readonly max: number) {
    this.#fd = tryIo("Cannot make", path, () => openSync(path, "ax", 0o600));
  }

  restart(): void {
    ftruncateSync(this.#fd, 0);
    this.#hash = startSha256();
    this.#size = 0;
  }

  add(piece: Uint8Array): void {
    if (this.#size + piece.length > this.max) {
      throw new RemoteError("rejected", `Received more than ${this.max} bytes`, {
        hint: "check the URL: risk data is not so large",
      });
    }
    tryIo("Cannot write", this.path, () => writeAll(this.#fd, piece));
    this.#hash.update(piece);
    this.#size += piece.length;
  }

  check({ url, sha256 }: Download): void {
    const found = this.#hash.digest("hex");
    if (found === sha256) return;
    const { origin, pathname } = new URL(url);
    const text = `Cannot use ${shown(origin + pathname)}: its digest differs from the pinned one`;
    throw new StellaError("digest_mismatch", text, {
      hint: "check the data, then pin the new digest: it was updated, or changed in transit",
      findings: [finding("digest_mismatch", { found, expected: sha256 })],
    });
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }

  close(): void {
    closeSync(this.#fd);
  }
}
