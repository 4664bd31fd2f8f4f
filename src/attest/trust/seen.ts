/**
 * What a machine has seen: for each signer, the last sequence of each profile and tenant.
 * `<state>/trust/NAME/seen.json` holds it, where NAME stands for the signer. An older bundle of the
 * same signer is a rollback, and another state with the same sequence is a fork. This module reads;
 * what is seen is written by the commands that keep what they verified.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { array, integer, object, oneOf, ShapeFault, text } from "../../bundle/json_shape.ts";
import { bundleDigest, encodeManifest, type Manifest, stateOf } from "../../bundle/manifest.ts";
import { JsonFault, parseStrict } from "../../bundle/strict_json.ts";
import { StellaError } from "../../domain/errors.ts";
import { sha256Hex } from "../../domain/hash.ts";
import { shown } from "../../domain/names.ts";

export interface SeenBundle {
  tenant: string;
  profile: string;
  sequence: number;
  /** Digest of the index. */
  state: string;
  /** Of the bundle that had this sequence. */
  bundleDigest: string;
  created: string;
}

/** All that was seen of one signer. */
export interface Seen {
  /** The keyid of a key or secret. */
  signer: string;
  seen: SeenBundle[];
}

export const seenFile = "seen.json";

/** Directory of all signers; a state directory need not have it. */
export function seenDirectory(state: string): string {
  return join(state, "trust");
}

/**
 * Path of the file for a signer. A keyid is base64 of a SHA-256 digest, of a secret with the
 * algorithm in front; in a name of the file system it is hexadecimal.
 */
export function seenPath(state: string, signer: string): string {
  const [digest = "", kind = "sha256"] = signer.split(":").toReversed();
  const name = `${kind}-${Buffer.from(digest, "base64").toString("hex")}`;
  return join(seenDirectory(state), name, seenFile);
}

export function seenOf(manifest: Manifest): SeenBundle | undefined {
  const { tenant, profile, sequence, created } = manifest;
  if (sequence === undefined) return undefined;
  const digest = bundleDigest(encodeManifest(manifest));
  return { tenant, profile, sequence, state: stateOf(manifest), bundleDigest: digest, created };
}

/** The same with one more bundle; the largest sequence of its profile is kept. */
export function withSeen(all: readonly SeenBundle[], one: SeenBundle): SeenBundle[] {
  const isSame = (other: SeenBundle) =>
    other.tenant === one.tenant && other.profile === one.profile;
  const last = all.find(isSame);
  const kept = last !== undefined && last.sequence >= one.sequence ? last : one;
  return [...all.filter((other) => !isSame(other)), kept];
}

const name = text(/^.{1,64}$/, "a name");
const digest = text(sha256Hex, "64 lowercase hex digits");
const shape = object({
  schemaVersion: oneOf(1),
  signer: text(/^[\x21-\x7e]{1,128}$/, "a keyid"),
  seen: array(
    object({
      tenant: name,
      profile: name,
      sequence: integer(1),
      state: digest,
      bundleDigest: digest,
      created: text(/^[0-9TZ:-]{20}$/, "a time"),
    }, {}),
    100_000,
  ),
}, {});

/** @param path for messages @throws StellaError config if it is not such a file */
export function parseSeen(bytes: Uint8Array, path: string): Seen {
  try {
    const { signer, seen } = shape(parseStrict(bytes), "");
    return { signer, seen };
  } catch (error) {
    if (!(error instanceof JsonFault || error instanceof ShapeFault)) throw error;
    throw new StellaError("state_invalid", `Cannot use ${shown(path)}: ${error.message}`, {
      hint:
        "restore it from a backup; or move it away, and run `stella trust seen --receipt FILE` " +
        "with the last receipt of each profile",
    });
  }
}

export function encodeSeen({ signer, seen }: Seen): Uint8Array {
  return new TextEncoder().encode(
    `${JSON.stringify({ schemaVersion: 1, signer, seen }, null, 1)}\n`,
  );
}
