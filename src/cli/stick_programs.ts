/** The programs that `stella stick write` puts beside a bundle: all or none, and read back. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { PrivateFiles } from "../bundle/private_files.ts";
import { digestOf } from "../bundle/source.ts";
import { rename, syncDirectory } from "../domain/durable.ts";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { type CarriedProgram, copyProgram } from "../export/companions.ts";
import { MediumSource } from "../output/medium_source.ts";
import { regularFileAt } from "../output/named_file.ts";
import { PartialFolder } from "../output/partial_folder.ts";
import { throttledYielder } from "./event_loop.ts";
import type { Host } from "./host.ts";

export interface ProgramCopy {
  path: string;
  /** Bytes. */
  size: number;
  sha256: string;
}

export class ProgramCopies {
  /** All of them together. */
  readonly bytes: number;
  #folder: PartialFolder | undefined;
  /** Those that have to be written: the same program may be there already. */
  readonly #copies: ProgramCopy[] = [];

  constructor(
    readonly stick: string,
    readonly programs: readonly CarriedProgram[],
    readonly options: { privateFiles: PrivateFiles; force: boolean },
    readonly host: Host,
  ) {
    this.bytes = programs.reduce((sum, { path }) => sum + statSync(path).size, 0);
  }

  /**
   * Copies the programs under hidden names. The folder for that is also the lock of the stick.
   * @throws StellaError conflict if another program is in the way, busy, io
   */
  async begin(): Promise<void> {
    const activity = { action: "Cannot write to", other: "another stick write" };
    this.#folder = new PartialFolder(this.stick, this.host.uuid(), activity);
    this.#folder.clearOthers();
    for (const program of this.programs) {
      const { sha256, size } = copyProgram(this.#folder.path, program, this.options.privateFiles);
      await this.#refuseOther(program.name, sha256);
      const path = join(this.stick, program.name);
      this.#copies.push({ path, size, sha256 });
    }
  }

  /** Gives the programs their names once the stick has given them back. @throws StellaError io */
  async commit(): Promise<{ programs: ProgramCopy[]; isFromMedium: boolean }> {
    const folder = this.#folder?.path;
    if (folder === undefined) throw new TypeError("nothing was begun");
    const source = new MediumSource(folder);
    for (const [i, { name }] of this.programs.entries()) {
      const copy = this.#copies[i];
      if (copy === undefined || await this.#digestIn(source, name) !== copy.sha256) {
        const text = `Cannot write ${shown(name)}: the stick does not give back what was written`;
        throw new StellaError("medium_failed", text, { hint: "use another stick" });
      }
    }
    for (const { name } of this.programs) rename(join(folder, name), join(this.stick, name));
    syncDirectory(this.stick);
    return { programs: [...this.#copies], isFromMedium: source.isDirect };
  }

  close(): void {
    this.#folder?.close();
  }

  /** The same program again is fine. */
  async #refuseOther(name: string, sha256: string): Promise<void> {
    const path = join(this.stick, name);
    const there = regularFileAt(path);
    if (there === undefined || this.options.force) return;
    if (await this.#digestIn(new MediumSource(this.stick), name) === sha256) return;
    const text = `Cannot write ${shown(path)}: another file with this name is there`;
    throw new StellaError("output_exists", text, {
      hint: "remove it, or overwrite it with --force",
    });
  }

  async #digestIn(source: MediumSource, name: string): Promise<string | undefined> {
    const reader = await source.open(name);
    if (reader === undefined) return undefined;
    try {
      const turn = throttledYielder(this.host);
      return (await digestOf(reader, reader.size, turn)).sha256;
    } finally {
      reader.close();
    }
  }
}
