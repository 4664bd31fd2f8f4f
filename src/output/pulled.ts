/**
 * Writes a bundle into a directory while it is verified, so that it is read only once. The files
 * are renamed into place, all or nothing, after a good verdict; nothing is written if the signer is
 * not trusted.
 */
import { closeSync, fchmodSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import { writeAll, writeNew } from "../domain/durable.ts";
import {
  attestationName,
  type BundleFile,
  hmacName,
  type Manifest,
  manifestName,
} from "../bundle/manifest.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { OutputTransaction } from "./output_transaction.ts";
import { type FreeSpace, refuseNoSpace } from "./free_space.ts";

export interface OutputTarget {
  /** For messages: `Cannot pull`. */
  action: string;
  /** Overwrite existing files. */
  force: boolean;
  uuid: string;
  /** Free space of the directory's file system, if known. */
  space: FreeSpace | undefined;
}

export class PulledBundle implements BundleSource {
  /** manifest.json and its signatures: read before anything else is known about the bundle. */
  readonly #heads = new Map<string, Uint8Array[]>();
  #begun: { output: OutputTransaction; files: ReadonlyMap<string, BundleFile> } | undefined;

  /** Creates nothing yet. */
  constructor(readonly source: BundleSource, readonly where: OutputTarget) {}

  get name(): string {
    return this.source.name;
  }

  get sequential(): true | undefined {
    return this.source.sequential;
  }

  /**
   * Call this once the signer is known, before the first byte of content; without it nothing is
   * written.
   * @throws StellaError conflict if existing files are in the way, io if the bundle does not fit
   */
  begin(manifest: Manifest, isRefused: boolean, directory: string): void {
    if (isRefused) return;
    if (manifest.payload.layout !== "archive") {
      const text = `${this.where.action} the bundle: its layout is directory`;
      throw new StellaError("layout_unsuitable", text, { hint: "export it with --layout archive" });
    }
    const { profile, tenant, files } = manifest;
    const { action, space } = this.where;
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    refuseNoSpace(`${action} into`, directory, space, { what: "the bundle", bytes, files });
    const output = new OutputTransaction({ ...this.where, directory, profile, tenant });
    this.#begun = { output, files: new Map(files.map((file) => [file.path, file])) };
    output.check([attestationName, ...files.map(({ path }) => path)]);
  }

  /** @throws StellaError io, and the errors of the source */
  async open(path: string): Promise<ByteReader | undefined> {
    const reader = await this.source.open(path);
    if (reader === undefined) return undefined;
    if ([manifestName, attestationName, hmacName].includes(path)) return this.#head(path, reader);
    const { output, files } = this.#begun ?? {};
    const file = files?.get(path);
    if (output === undefined || file === undefined) return reader;
    return kept(reader, join(output.partial, path), file);
  }

  /**
   * Writes what is left. Call this once, after a good verdict.
   * @returns the folder that holds the whole bundle until it is committed
   */
  complete(): string {
    const { output } = this.#received();
    for (const [name, pieces] of this.#heads) {
      writeNew(join(output.partial, name), Buffer.concat(pieces), 0o644);
    }
    return output.partial;
  }

  /** Renames the files into place and returns their names. Call this after `complete`. */
  commit(): string[] {
    const { output, files } = this.#received();
    const names = [...this.#heads.keys(), ...files.keys()];
    output.commit(names);
    return names;
  }

  #received() {
    if (this.#begun !== undefined) return this.#begun;
    throw new StellaError("defect", `${this.where.action}: no bundle was received`);
  }

  /** Ends the pull; without a commit the directory is unchanged. */
  close(): void {
    this.#begun?.output.close();
    this.#begun = undefined;
  }

  #head(path: string, reader: ByteReader): ByteReader {
    const pieces: Uint8Array[] = [];
    this.#heads.set(path, pieces);
    return observed(reader, (bytes) => pieces.push(Uint8Array.from(bytes)), () => {});
  }
}

/** Also writes what it reads to a new file, up to the declared size; closing it syncs the file. */
function kept(reader: ByteReader, path: string, { size, executable }: BundleFile): ByteReader {
  const mode = executable ? 0o755 : 0o644;
  const fd = tryIo("Cannot make", path, () => openSync(path, "wx", mode));
  let left = size;
  const take = (bytes: Uint8Array) => {
    const declared = bytes.subarray(0, left);
    left -= declared.length;
    tryIo("Cannot write", path, () => writeAll(fd, declared));
  };
  const end = () =>
    tryIo("Cannot write", path, () => {
      fchmodSync(fd, mode);
      fsyncSync(fd);
      closeSync(fd);
    });
  return observed(reader, take, end);
}

function observed(
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
