/** A bundle named on a command line, before and after it is opened. */
import type { TrustedKey } from "../attest/check/trust.ts";
import type { SharedSecret } from "../attest/secret.ts";
import { type Manifest, manifestName } from "../bundle/manifest.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { type Finding, StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { CommonFlags } from "./command.ts";
import type { Permission } from "../domain/permissions.ts";
import type { VerifyOptions } from "../verify/verify.ts";
import type { RegistryFlags } from "./options.ts";

/** Trusted public keys and shared secrets for one verification. */
export interface Trust {
  readonly trusted: TrustedKey[];
  readonly secrets?: SharedSecret[];
  /** Judges sequences by what this machine has seen, and by what the command line says. */
  readonly checkSequence?: NonNullable<VerifyOptions["checkSequence"]>;
}

/** A named bundle; nothing of it has been read. */
export interface Place {
  /** The name as typed. */
  readonly name: string;
  /** Directories that came with the bundle: their keys are not trusted. */
  readonly directories: readonly string[];
  /** Permissions for reading it in addition to read. */
  readonly needs: readonly Permission[];
  /** @param trust chooses among several signatures if anybody could have attached one */
  open(trust: Trust): OpenBundle;
}

export interface OpenBundle {
  readonly source: BundleSource;
  /** Called with the manifest before its files are opened. */
  onManifest?(manifest: Manifest): void;
  /** Faults of the place itself; call this after the content was verified. */
  remainingFindings?(manifest: Manifest, isGood: boolean): Promise<Finding[]>;
  /** The directory of each file, and the skipped copies; if there are several directories. */
  readonly found?: ReadonlyMap<string, string>;
  readonly badCopies?: ReadonlyMap<string, readonly string[]>;
  close?(): void;
}

export interface PlaceFlags extends RegistryFlags, Pick<CommonFlags, "config" | "quiet"> {
  readonly volumes?: readonly string[] | undefined;
}

/** The manifest, without a check of its signature. @param action such as "compare" */
export async function manifestIn(source: BundleSource, action: string): Promise<Manifest> {
  const bytes = await readSmall(source, manifestName, maxManifestBytes);
  if (bytes !== undefined) return readManifest(bytes);
  const text = `Cannot ${action} ${shown(source.name)}: no ${manifestName} in it`;
  throw new StellaError("manifest_missing", text);
}
