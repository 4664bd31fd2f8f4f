/** What an export of a profile needs besides its sources: built-in files, time, build and key. For the command and for the service. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { assets } from "../assets/assets.ts";
import { generateKey, loadSigner, type MadeKey, publicOf } from "../attest/sign/keys.ts";
import type { Signer } from "../attest/sign/signer.ts";
import { shown } from "../domain/names.ts";
import { earliestCreated } from "../domain/time.ts";
import { keyDirectory } from "../config/paths.ts";
import type { Environment } from "../config/paths.ts";
import type { Profile } from "../config/profile.ts";
import type { BuiltinEntry } from "../export/sources/inputs.ts";
import { build } from "../domain/version.ts";

export interface Recipe {
  builtin: BuiltinEntry[];
  epoch?: number;
  tool: { version: string; commit: string };
}

/** @throws StellaError usage for a SOURCE_DATE_EPOCH that is none */
export function recipeOf(profile: Profile, environment: Environment): Recipe {
  const { version, commit } = build();
  const epoch = epochOf(profile, environment);
  return {
    builtin: profile.kind === "kit" ? assets() : [],
    ...(epoch === undefined ? {} : { epoch }),
    tool: { version, commit },
  };
}

/** SOURCE_DATE_EPOCH; else for the kit the build's time, since its files have none; else the newest input's. */
function epochOf(profile: Profile, environment: Environment): number | undefined {
  const given = environment("SOURCE_DATE_EPOCH");
  if (given !== undefined && given !== "") {
    if (/^\d{1,12}$/.test(given)) return Number(given);
    const text = `Cannot use SOURCE_DATE_EPOCH=${shown(given)}: it is not a count of seconds`;
    throw new StellaError("usage", text, { hint: "for example: SOURCE_DATE_EPOCH=1767225600" });
  }
  if (profile.kind !== "kit") return undefined;
  const built = Date.parse(build().buildDate) / 1000;
  return Number.isFinite(built) ? built : earliestCreated;
}

export function machineKeyPath(state: string): string {
  return join(keyDirectory(state), "signing.key");
}

/** The same key, as the service minds it: it finds it, and makes it where there never was one. */
export function machineKey(state: string) {
  const path = machineKeyPath(state);
  return {
    path,
    find: () => existsSync(path) ? loadSigner(path).keyid : undefined,
    make: () => generateKey(path, "ed25519").keyid,
    publicPem: () => existsSync(path) ? publicOf(path).pem : undefined,
  };
}

/** The signing key in the state directory; the first export makes it. @throws StellaError usage */
export function machineSigner(
  state: string,
  passphraseFile?: string,
): { signer: Signer; made?: MadeKey } {
  const path = machineKeyPath(state);
  if (existsSync(path) || passphraseFile !== undefined) {
    return { signer: loadSigner(path, passphraseFile) };
  }
  const made = generateKey(path, "ed25519");
  return { signer: loadSigner(path), made };
}
