/** A bundle that a command line names, before and after it is opened. */
import type { TrustedKey } from "../attest/check/trust.ts";
import type { SharedSecret } from "../attest/secret.ts";
import type { Manifest } from "../bundle/manifest.ts";
import type { BundleSource } from "../bundle/source.ts";
import type { Finding } from "../domain/errors.ts";
import type { CommonFlags, Permission } from "./command.ts";
import type { RegistryFlags } from "./options.ts";

/** Trusted public keys and shared secrets for one verification. */
export interface Trust {
  readonly trusted: TrustedKey[];
  readonly secrets?: SharedSecret[];
}

/** One bundle that was named; nothing of it is read yet. */
export interface Place {
  /** As a person named it. */
  readonly name: string;
  /** Directories that came with the bundle: no trust is taken from them. */
  readonly directories: readonly string[];
  /** What reading it needs beside the permission to read. */
  readonly needs: readonly Permission[];
  /** @param trust chooses among several signatures, where anybody may have attached one */
  open(trust: Trust): OpenBundle;
}

export interface OpenBundle {
  readonly source: BundleSource;
  /** Is given the manifest before the files that it lists are opened. */
  onManifest?(manifest: Manifest): void;
  /** What is wrong with the place itself; to be asked once the content was verified. */
  remainingFindings?(manifest: Manifest, isGood: boolean): Promise<Finding[]>;
  /**
   * In which directory each file was found, and which copies of it were passed over; where there
   * are several directories.
   */
  readonly found?: ReadonlyMap<string, string>;
  readonly badCopies?: ReadonlyMap<string, readonly string[]>;
  close?(): void;
}

export interface PlaceFlags extends RegistryFlags, Pick<CommonFlags, "config" | "quiet"> {
  readonly volumes?: readonly string[] | undefined;
}
