/**
 * A bundle on its way from somewhere else into a directory: whatever verification reads of it is kept beside its place, and gets its
 * names, all or nothing, when the verdict was good. So a bundle is written while it is verified, and read but once.
 */
import { closeSync, fchmodSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { writeAll, writeNew } from "../bundle/durable.ts";
import { attestationName, hmacName, type Manifest, manifestName } from "../bundle/manifest.ts";
import { readManifest } from "../bundle/read_manifest.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { ioError, StellaError } from "../errors.ts";
import { Place } from "./place.ts";

export interface PulledPlace {
  directory: string;
  /** Replace whatever stands in the way. */
  force: boolean;
  uuid: string;
}

export class PulledBundle implements BundleSource {
  /** manifest.json and what proves it: read before anything is known of the bundle, and small. */
  readonly #heads = new Map<string, Uint8Array[]>();
  #place: { place: Place; manifest: Manifest } | undefined;

  /** Makes nothing yet. */
  constructor(readonly source: BundleSource, readonly where: PulledPlace) {}

  get name(): string {
    return this.source.name;
  }

  /** @throws StellaError usage where something else is in the way, media, and what the source throws */
  async open(path: string): Promise<ByteReader | undefined> {
    const reader = await this.source.open(path);
    if (reader === undefined) return undefined;
    if ([manifestName, attestationName, hmacName].includes(path)) return this.#head(path, reader);
    const { place, manifest } = this.#opened();
    const file = manifest.files.find((one) => one.path === path);
    return kept(reader, join(place.partial, path), file?.executable ? 0o755 : 0o644);
  }

  /**
   * Gives the files their names. Only to be called after a verdict that is good: then all of each file has been read.
   * @returns the names
   */
  commit(): string[] {
    const { place, manifest } = this.#opened();
    for (const [name, pieces] of this.#heads) {
      writeNew(join(place.partial, name), joined(pieces), 0o644);
    }
    const names = [...this.#heads.keys(), ...manifest.files.map(({ path }) => path)];
    place.commit(names);
    return names;
  }

  /** Ends it; without a commit the directory is as it was. */
  close(): void {
    this.#place?.place.close();
    this.#place = undefined;
  }

  #head(path: string, reader: ByteReader): ByteReader {
    const pieces: Uint8Array[] = [];
    this.#heads.set(path, pieces);
    return tapped(reader, (bytes) => pieces.push(Uint8Array.from(bytes)), () => {});
  }

  /** Comes after verification has read the manifest: only then is it known what would be replaced. */
  #opened() {
    if (this.#place !== undefined) return this.#place;
    const manifest = readManifest(joined(this.#heads.get(manifestName) ?? []));
    if (manifest.payload.layout !== "archive") {
      throw new StellaError("usage", "Cannot pull the bundle: its layout is directory");
    }
    const { profile, tenant, files } = manifest;
    const place = new Place({ ...this.where, profile, tenant });
    this.#place = { place, manifest };
    place.check([attestationName, ...files.map(({ path }) => path)]);
    return this.#place;
  }
}

/** A reader that also writes what it reads into a new file, which is synced when the reader is closed. */
function kept(reader: ByteReader, path: string, mode: number): ByteReader {
  const fd = doing("Cannot make", path, () => openSync(path, "wx", mode));
  const end = () =>
    doing("Cannot write", path, () => {
      fchmodSync(fd, mode);
      fsyncSync(fd);
      closeSync(fd);
    });
  return tapped(reader, (bytes) => doing("Cannot write", path, () => writeAll(fd, bytes)), end);
}

function tapped(
  reader: ByteReader,
  take: (bytes: Uint8Array) => void,
  end: () => void,
): ByteReader {
  let open = true;
  return {
    size: reader.size,
    read: async (buffer) => {
      const length = await reader.read(buffer);
      take(buffer.subarray(0, length));
      return length;
    },
    close: () => {
      reader.close();
      if (open) end();
      open = false;
    },
  };
}

function doing<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ioError(action, path, error);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
