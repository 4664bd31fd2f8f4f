/**
 * The sequence of a bundle numbers the states of its profile, so that a receiver notices an older
 * bundle. The state is the payload's index: exporting the same state again, with other options or
 * by another version, repeats its number, and whatever differs takes the next one. A state that
 * comes back later is a new one.
 *
 * `<state>/sequences.json` has the last number of each profile and tenant, for commands and for the
 * service alike. A number is reserved before the bundle is signed, so an export that fails later
 * may leave a gap, and two bundles of different states never share a number.
 */
import { join } from "node:path";
import { array, integer, object, oneOf, ShapeFault, text } from "../bundle/json_shape.ts";
import { type Manifest, manifestName, stateOf } from "../bundle/manifest.ts";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import { StellaError } from "../domain/errors.ts";
import { sha256Hex } from "../domain/hash.ts";
import { readManifestIfValid } from "../output/recovery.ts";
import { changeStateFile, stateInvalid } from "../output/state_file.ts";
import { FileStore } from "../store/files/store.ts";

/** Gives the sequence for a state; undefined: the bundle has none. */
export type Sequencer = (state: string) => Promise<number | undefined> | undefined;

interface Reserved {
  tenant: string;
  profile: string;
  sequence: number;
  /** Digest of the index. */
  state: string;
}

/** Where the last numbers are, and for what. */
export interface Counter extends Pick<Manifest, "tenant" | "profile"> {
  /** The state directory. */
  readonly directory: string;
  readonly uuid: () => string;
}

/**
 * @param asked to repeat an earlier bundle, or to go on where the last number was lost; a smaller
 * one than the last leaves that as it is
 */
export function sequencer(counter: Counter, asked?: number): Sequencer {
  return async (state) => {
    let sequence = 0;
    await changeStateFile(join(counter.directory, fileName), counter.uuid(), (present) => {
      const all = present === undefined ? [] : parse(present, counter.directory);
      const written = all.filter(isOf(counter));
      const known = [...written, ...storedOf(counter)];
      const last = newest(known);
      sequence = asked === undefined ? next(last, state) : chosen(asked, known, state);
      if (written.some((one) => one.sequence >= sequence)) return undefined;
      const { tenant, profile } = counter;
      const reserved = { tenant, profile, sequence, state };
      const newer = last !== undefined && last.sequence > sequence ? last : reserved;
      return encode([...all.filter((one) => !isOf(counter)(one)), newer]);
    });
    return sequence;
  };
}

function next(last: Reserved | undefined, state: string): number {
  if (last === undefined) return 1;
  if (last.state === state) return last.sequence;
  if (last.sequence < Number.MAX_SAFE_INTEGER) return last.sequence + 1;
  throw new StellaError("state_conflict", "Cannot number the bundle: there is no larger number", {
    hint: "export under a new profile name",
  });
}

/** A number that was used for another state must not be used again. */
function chosen(asked: number, known: readonly Reserved[], state: string): number {
  const other = known.find((one) => one.sequence === asked && one.state !== state);
  if (other === undefined) return asked;
  const found = `the number was used for the state ${other.state}, and this is ${state}`;
  throw new StellaError("fork", `Cannot export as sequence ${asked}: ${found}`, {
    hint: "export the inputs that this number was used for, or leave out --sequence",
  });
}

/** Bundles of the service, where the file was lost or is an older copy. */
function storedOf({ directory, tenant, profile }: Counter): Reserved[] {
  const store = new FileStore(directory);
  return store.list({ tenant, profile }).flatMap((stored) => {
    const manifest = readManifestIfValid(join(store.path(stored), manifestName));
    if (manifest?.sequence === undefined) return [];
    return [{ tenant, profile, sequence: manifest.sequence, state: stateOf(manifest) }];
  });
}

function isOf({ tenant, profile }: Counter): (one: Reserved) => boolean {
  return (one) => one.tenant === tenant && one.profile === profile;
}

function newest(all: readonly Reserved[]): Reserved | undefined {
  return all.toSorted((a, b) => b.sequence - a.sequence)[0];
}

const fileName = "sequences.json";

const shape = object({
  schemaVersion: oneOf(1),
  sequences: array(
    object({
      tenant: text(/./, "a name"),
      profile: text(/./, "a name"),
      sequence: integer(1),
      state: text(sha256Hex, "64 lowercase hex digits"),
    }, {}),
    1_000_000,
  ),
}, {});

function parse(bytes: Uint8Array, directory: string): Reserved[] {
  try {
    return shape(parseStrict(bytes), "").sequences;
  } catch (error) {
    if (!(error instanceof JsonFault || error instanceof ShapeFault)) throw error;
    const wayBack = "restore it from a backup; or move it away, and give the next number of each " +
      "profile with --sequence: `stella show` prints the one of the last bundle";
    throw stateInvalid(join(directory, fileName), error.message, wayBack);
  }
}

function encode(sequences: readonly Reserved[]): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ schemaVersion: 1, sequences }, null, 1)}\n`);
}
