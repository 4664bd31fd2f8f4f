/**
 * `stella stick write`: a bundle is verified while it is written to a stick, read back from there
 * and verified again, and only then gets its names. The programs that verify it lie beside it.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { maxAttestationBytes } from "../attest/check/check.ts";
import { hmacName, type Manifest } from "../bundle/manifest.ts";
import { PrivateFiles } from "../bundle/private_files.ts";
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { loadConfig } from "../config/load.ts";
import { privatePlacesOf } from "../config/private_places.ts";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { checkName, escaped, shown } from "../domain/names.ts";
import { checkPrograms, programsOf } from "../export/companions.ts";
import { type FreeSpace, freeSpaceAt, refuseNoSpace } from "../output/free_space.ts";
import { MediumSource } from "../output/medium_source.ts";
import { PulledBundle } from "../output/pulled.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Result } from "./command.ts";
import { selfPath } from "./export_request.ts";
import type { Host } from "./host.ts";
import { placeAt } from "./place.ts";
import { sizeText } from "./render.ts";
import { ProgramCopies, type ProgramCopy } from "./stick_programs.ts";
import {
  readTrust,
  resultOf,
  type Verified,
  type VerifyFlags,
  verifyPlace,
  verifySource,
} from "./verify.ts";

export type StickFlags = VerifyFlags & {
  readonly name: string | undefined;
  readonly includeSelf: boolean;
  readonly includeBinary: readonly string[];
  readonly force: boolean;
};

/** How the medium is looked at and read; tests have media that fail. */
export interface Medium {
  space(directory: string): FreeSpace | undefined;
  source(root: string, name: string): BundleSource & { readonly isDirect: boolean };
}

const realMedium: Medium = {
  space: freeSpaceAt,
  source: (root, name) => new MediumSource(root, name),
};

export async function writeStick(
  named: string,
  stick: string,
  options: StickFlags,
  host: Host,
  medium = realMedium,
): Promise<Result> {
  refuseNoDirectory(stick);
  if (options.name !== undefined) checkName("bundle directory", options.name);
  const self = options.includeSelf ? selfPath() : undefined;
  const programs = programsOf(self, options.includeBinary);
  checkPrograms(programs, []);
  const { config } = await loadConfig({ flag: options.config, environment: host.environment });
  const privateFiles = new PrivateFiles(privatePlacesOf(config, host.environment), host.now);
  const place = await placeAt("copy", named, options, host);
  // Read before the permission for the environment is dropped.
  const trust = readTrust(options, host, place.directories);
  const copies = new ProgramCopies(stick, programs, { privateFiles, ...options }, host);
  const writer = new StickWriter(stick, options, copies, host, medium);
  try {
    const verified = await verifyPlace(place, options, host, {
      through: (source) => writer.through(source),
      begin: (manifest, isRefused) => writer.begin(manifest, isRefused),
    }, ["write"]);
    if (!verified.verdict.ok) {
      return resultOf(verified, host, { text: "  Nothing was written to the stick.\n" });
    }
    const back = await writer.readBack((source) => verifySource(source, trust, options, host));
    if (!back.verdict.ok) return damaged(back.verdict, host);
    return written(verified, stick, await writer.commit(), host);
  } finally {
    writer.close();
  }
}

/** What is on the stick. */
interface Written {
  directory: string;
  /** Names in `directory`. */
  files: string[];
  programs: ProgramCopy[];
  /** Whether all of it was read back from the medium and not from the page cache. */
  isFromMedium: boolean;
}

class StickWriter {
  readonly #space: FreeSpace | undefined;
  #pulled: PulledBundle | undefined;
  #directory = "";
  #isFromMedium = true;

  constructor(
    readonly stick: string,
    readonly options: StickFlags,
    readonly copies: ProgramCopies,
    readonly host: Host,
    readonly medium: Medium,
  ) {
    this.#space = medium.space(stick);
  }

  through(source: BundleSource): BundleSource {
    const { force } = this.options;
    // Space is checked here, where the programs are known too.
    const [action, uuid, space] = ["Cannot write", this.host.uuid(), undefined];
    return this.#pulled = new PulledBundle(source, { action, force, uuid, space });
  }

  async begin(manifest: Manifest, isRefused: boolean): Promise<void> {
    const pulled = this.#pulled;
    if (isRefused || pulled === undefined) return;
    const { files, profile } = manifest;
    refuseTooLarge(manifest, this.stick, this.#space);
    const bytes = files.reduce((sum, { size }) => sum + size, this.copies.bytes);
    const what = this.copies.bytes === 0 ? "the bundle" : "the bundle with the programs";
    refuseNoSpace("Cannot write to", this.stick, this.#space, { what, bytes });
    await this.copies.begin();
    this.#directory = join(this.stick, this.options.name ?? profile);
    pulled.begin(manifest, isRefused, this.#directory);
    // Verification by a public key does not read it, and it belongs to the bundle.
    const isRead = pulled.sequential === true || this.options.secret !== undefined;
    if (!isRead) await readSmall(pulled, hmacName, maxAttestationBytes, "malformed");
  }

  /** Completes the bundle under a hidden name, and verifies what the stick gives back. */
  async readBack(
    verify: (source: BundleSource) => Promise<Verdict>,
  ): Promise<{ verdict: Verdict }> {
    if (this.#pulled === undefined) throw new TypeError("no bundle was opened");
    const source = this.medium.source(this.#pulled.complete(), this.#directory);
    const verdict = await verify(source);
    this.#isFromMedium = source.isDirect;
    return { verdict };
  }

  async commit(): Promise<Written> {
    const { programs, isFromMedium } = await this.copies.commit();
    return {
      directory: this.#directory,
      // Last: where a manifest is, everything is.
      files: this.#pulled?.commit() ?? [],
      programs,
      isFromMedium: isFromMedium && this.#isFromMedium,
    };
  }

  close(): void {
    this.#pulled?.close();
    this.copies.close();
  }
}

/** A stick that is not mounted must not fill the disk that its directory is on. */
function refuseNoDirectory(stick: string): void {
  if (tryIo("Cannot write to", stick, () => statSync(stick)).isDirectory()) return;
  const text = `Cannot write to ${shown(stick)}: it is not a directory`;
  throw new StellaError("path_unusable", text, {
    hint: "name the directory where the stick is mounted",
  });
}

/** Volumes are listed in the signed manifest, so only whoever signs can cut an archive. */
function refuseTooLarge(
  { files, profile }: Manifest,
  stick: string,
  space: FreeSpace | undefined,
): void {
  const { maxFileBytes = Infinity } = space ?? {};
  const large = files.find(({ size }) => size > maxFileBytes);
  if (large === undefined) return;
  const found =
    `FAT32 holds files of at most ${maxFileBytes} bytes, and ${shown(large.path)} has ` +
    `${large.size} bytes`;
  throw new StellaError("output_unsuitable", `Cannot write to ${shown(stick)}: ${found}`, {
    hint: "give the stick an exFAT file system, or export again in volumes: " +
      `stella export bundle --profile ${profile} --volume-size fat32`,
  });
}

function damaged(verdict: Verdict, host: Host): Result {
  const text = "  What was read back from the stick is not what was written. Use another stick: " +
    "nothing was kept on this one.\n";
  return resultOf({ verdict }, host, { text });
}

function written(
  verified: Verified,
  stick: string,
  { directory, files, programs, isFromMedium }: Written,
  host: Host,
): Result {
  const { verdict, manifest } = verified;
  const carried = (manifest?.files ?? []).filter(({ role }) => role === "program")
    .map(({ path, size, sha256 }) => ({ path: join(directory, path), size, sha256 }));
  const separately = { key: verdict.signer, programs: [...programs, ...carried] };
  const paths = [...files.map((name) => join(directory, name)), ...programs.map((p) => p.path)];
  const text = writtenText(directory, programs, isFromMedium) +
    mountNote(stick) + separatelyText(separately);
  const result = resultOf(verified, host, { files: paths, text });
  const readBack = isFromMedium ? "medium" : "page-cache";
  return { ...result, json: { ...result.json, directory, readBack, separately } };
}

function writtenText(
  directory: string,
  programs: readonly ProgramCopy[],
  isFromMedium: boolean,
): string {
  const lines = [
    `  written   ${escaped(directory)}`,
    ...programs.map(({ path, size }) => `  program   ${escaped(path)}, ${sizeText(size)}`),
    isFromMedium
      ? "  read back from the medium: all digests match"
      : "  read back, but perhaps from memory: unmount the stick, mount it again, and run " +
        `stella verify ${escaped(directory)}`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** A directory to mount a stick on looks the same when none is mounted. */
function mountNote(stick: string): string {
  const device = (path: string) => statSync(path, { throwIfNoEntry: false })?.dev;
  return device(stick) === device("/")
    ? `  note      ${escaped(stick)} is on the file system of /: check that the stick is mounted\n`
    : "";
}

function separatelyText(
  { key, programs }: { key: Verdict["signer"]; programs: readonly ProgramCopy[] },
): string {
  const named = key === undefined ? "the signer's public key" : `the key ${key.keyid}`;
  return "  Carry by another way, not on this stick:\n" + [
    key === undefined ? named : `${named} (${escaped(key.name)})`,
    ...programs.map(({ path, sha256 }) => `sha256:${sha256} of ${escaped(path)}`),
  ].map((line) => `    ${line}\n`).join("") + "  Unmount the stick before you pull it out.\n";
}
