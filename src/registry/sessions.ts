/**
 * Unfinished uploads: what is needed to resume one after the program, or the machine, was killed.
 * The registry reports the current offset; the stored one is only the last known.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { rename, writeNew } from "../domain/durable.ts";
import { sha256 } from "../domain/hash.ts";
import { integer, object, ShapeFault, text } from "../bundle/json_shape.ts";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import { errnoOf, ioError } from "../domain/io_errors.ts";

export interface UploadSession {
  /** Where the registry expects the next bytes; opaque, and valid only at that registry. */
  location: string;
  /** Confirmed bytes. */
  offset: number;
  /** Chunk size in bytes, at least what the registry demands. */
  chunk: number;
}

/** Keyed by `<URL of the repository's uploads>@<digest>`. A Map fits. */
export interface UploadMemory {
  get(key: string): UploadSession | undefined;
  set(key: string, session: UploadSession): void;
  delete(key: string): void;
}

/** Milliseconds. Registries discard uploads, the most common ones after a week. */
export const maxUploadAge = 6 * 24 * 3600_000;

const readSession = object({
  key: text(/^.{1,1024}$/su, "a key"),
  location: text(/^https?:\/\/\S{1,8192}$/, "a URL"),
  offset: integer(0),
  chunk: integer(1),
  at: integer(0),
}, {});

/** Stores each upload in its own file, mode 0600; a damaged or old file is ignored. */
export class UploadFolder implements UploadMemory {
  /** @param now milliseconds since 1970 */
  constructor(readonly directory: string, readonly now: () => number) {}

  get(key: string): UploadSession | undefined {
    const found = this.#read(key);
    if (found?.key !== key || this.now() - found.at > maxUploadAge) return undefined;
    const { location, offset, chunk } = found;
    return { location, offset, chunk };
  }

  /** @throws StellaError io, usage */
  set(key: string, session: UploadSession): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const path = this.#path(key);
    rmSync(`${path}.new`, { force: true });
    writeNew(`${path}.new`, JSON.stringify({ key, ...session, at: this.now() }), 0o600);
    rename(`${path}.new`, path);
  }

  delete(key: string): void {
    rmSync(this.#path(key), { force: true });
  }

  #read(key: string): ReturnType<typeof readSession> | undefined {
    try {
      return readSession(parseStrict(readFileSync(this.#path(key))), "");
    } catch (error) {
      const absent = errnoOf(error) === "ENOENT";
      if (absent || error instanceof JsonFault || error instanceof ShapeFault) return undefined;
      throw ioError("Cannot read the upload", this.#path(key), error);
    }
  }

  #path(key: string): string {
    return join(this.directory, `${sha256(new TextEncoder().encode(key))}.json`);
  }
}
