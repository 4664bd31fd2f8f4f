/** `stella keys`: make a key, show keys, trust a key. */
import { existsSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { ioError, StellaError } from "../domain/errors.ts";
import type { Algorithm } from "../attest/dsse.ts";
import { keysInDirectory, readPublicKey, type TrustedKey } from "../attest/check/trust.ts";
import { generateKey, makeSecret, publicOf } from "../attest/sign/keys.ts";
import { writeNew } from "../domain/durable.ts";
import { escaped, shown } from "../domain/names.ts";
import {
  keyDirectory,
  requireStateDirectory,
  stateDirectory,
  trustDirectories,
} from "../config/paths.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";

export async function generateCommand(
  options: CommonOptions & {
    algorithm: Algorithm | "hmac";
    out?: string;
    passphraseFile?: string;
  },
  host: Host,
): Promise<Result> {
  if (options.algorithm === "hmac") {
    if (options.passphraseFile !== undefined) throw secretsAreBare();
    return await Promise.resolve(generateSecret(options.out, host));
  }
  const path = options.out ??
    join(keyDirectory(requireStateDirectory(host.environment)), "signing.key");
  const made = generateKey(path, options.algorithm, options.passphraseFile);
  return await Promise.resolve({
    code: 0,
    json: { ok: true, code: 0, algorithm: options.algorithm, ...made },
    text: `made the key ${escaped(made.keyPath)}\n  public    ${escaped(made.publicPath)}\n` +
      `  keyid     ${made.keyid}\n`,
  });
}

function secretsAreBare(): StellaError {
  return new StellaError("usage", "Cannot protect a shared secret by a passphrase", {
    hint: "leave --passphrase-file out: both ends have to read that file by themselves",
  });
}

/** A secret has no public half, and is told from a key by its label. */
function generateSecret(out: string | undefined, host: Host): Result {
  const path = out ?? join(keyDirectory(requireStateDirectory(host.environment)), "shared.key");
  const { keyid } = makeSecret(path);
  return {
    code: 0,
    json: { ok: true, code: 0, algorithm: "hmac", keyid, keyPath: path },
    text: `made the shared secret ${escaped(path)}\n  keyid     ${keyid}\n` +
      "  Both ends need this very file: whoever can check with it can also seal with it.\n",
  };
}

export async function showCommand(
  options: CommonOptions & {
    public?: boolean;
    key?: string;
    keyPassphraseFile?: string;
    server?: string;
    ca?: string;
  },
  host: Host,
): Promise<Result> {
  if (options.server !== undefined) {
    const { showServiceKey } = await import("./service_key.ts");
    return await showServiceKey({ ...options, server: options.server }, host);
  }
  if (options.public) return await Promise.resolve(showPublic(options, host));
  const keys = trusted(host);
  const lines = keys.map((key) => `${key.keyid}  ${key.algorithm}  ${escaped(key.path)}`);
  return {
    code: 0,
    json: {
      ok: true,
      code: 0,
      keys: keys.map(({ keyid, name, path, algorithm }) => ({ keyid, name, path, algorithm })),
    },
    text: lines.length === 0
      ? "no key is trusted here yet: `stella keys generate` makes one, `stella keys trust FILE` takes one\n"
      : lines.join("\n") + "\n",
  };
}

function showPublic(options: { key?: string; keyPassphraseFile?: string }, host: Host): Result {
  const path = options.key ??
    join(keyDirectory(requireStateDirectory(host.environment)), "signing.key");
  const { pem, keyid } = publicOf(path, options.keyPassphraseFile);
  return { code: 0, json: { ok: true, code: 0, keyid, pem }, text: pem };
}

function trusted(host: Host): TrustedKey[] {
  const state = stateDirectory(host.environment);
  const own = state === undefined ? [] : [keyDirectory(state)];
  return [...own, ...trustDirectories(host.environment)].flatMap((path) => keysInDirectory(path));
}

export async function trustCommand(
  _options: CommonOptions,
  host: Host,
  args: string[],
): Promise<Result> {
  const key = readPublicKey(args[0]!);
  const directory = trustDirectories(host.environment).at(-1)!;
  const target = join(directory, `${basename(key.path).replace(/\.pub$/, "")}.pub`);
  if (existsSync(target)) {
    const known = readPublicKey(target).keyid === key.keyid;
    if (!known) {
      throw new StellaError(
        "conflict",
        `Cannot trust ${shown(key.path)}: ${shown(target)} is another key`,
        {
          hint: "rename the file, or take the other key away first",
        },
      );
    }
  } else addTrust(directory, target, key);
  return await Promise.resolve({
    code: 0,
    json: { ok: true, code: 0, keyid: key.keyid, path: target },
    text: `trusted ${key.keyid}\n  kept in   ${escaped(target)}\n`,
  });
}

/** What is kept is the key that was read and shown, not what lies at its path by now. */
function addTrust(directory: string, target: string, { key }: TrustedKey): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw ioError("Cannot make the trust directory", directory, error);
  }
  writeNew(target, key.export({ type: "spki", format: "pem" }) as string, 0o644);
}
