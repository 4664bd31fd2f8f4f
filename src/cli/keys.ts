/** `stella keys`: creates, shows and trusts keys. */
import type { KeyObject } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import type { Algorithm } from "../attest/dsse.ts";
import {
  keysInDirectory,
  publicKeyFrom,
  readPublicKey,
  type TrustedKey,
} from "../attest/check/trust.ts";
import { generateKey, makeSecret, publicOf } from "../attest/sign/keys.ts";
import { writeNew } from "../domain/durable.ts";
import { escaped, shown } from "../domain/names.ts";
import {
  keyDirectories,
  keyDirectory,
  requireStateDirectory,
  trustDirectories,
} from "../config/paths.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { refusalOf } from "./service_answer.ts";
import { ServiceClient } from "./service_client.ts";

export function generateKeys(
  { algorithm, out, passphraseFile }: {
    algorithm: Algorithm | "hmac";
    out: string | undefined;
    passphraseFile: string | undefined;
  },
  host: Host,
): Result {
  if (algorithm === "hmac") {
    if (passphraseFile !== undefined) throw secretsAreBare();
    return generateSecret(out, host);
  }
  const path = out ?? ownFile("signing.key", host);
  const made = generateKey(path, algorithm, passphraseFile);
  return {
    json: { algorithm, ...made },
    text: `made the key ${escaped(made.keyPath)}\n  public    ${escaped(made.publicPath)}\n` +
      `  keyid     ${made.keyid}\n`,
  };
}

/** A key of this machine. */
function ownFile(name: string, { environment }: Host): string {
  return join(keyDirectory(requireStateDirectory(environment)), name);
}

function secretsAreBare(): StellaError {
  return new StellaError("options_conflict", "Cannot protect a shared secret by a passphrase", {
    hint: "leave out --passphrase-file: both sides read this file unattended",
  });
}

/** A secret has no public half, and is distinguished from a key by its label. */
function generateSecret(out: string | undefined, host: Host): Result {
  const path = out ?? ownFile("shared.key", host);
  const { keyid } = makeSecret(path);
  return {
    json: { algorithm: "hmac", keyid, keyPath: path },
    text: `made the shared secret ${escaped(path)}\n  keyid     ${keyid}\n` +
      "  Both ends need this very file: whoever can verify with it can also forge.\n",
  };
}

type ShowFlags =
  & Readonly<Record<"public" | "quiet", boolean>>
  & Readonly<Record<"key" | "keyPassphraseFile" | "server" | "ca", string | undefined>>;

export async function showKeys(options: ShowFlags, host: Host): Promise<Result> {
  if (options.server !== undefined) return await showServiceKey(options, host);
  if (options.public) return showPublic(options, host);
  const keys = keyDirectories(host.environment).flatMap((path) => keysInDirectory(path));
  const lines = keys.map((key) => `${key.keyid}  ${key.algorithm}  ${escaped(key.path)}`);
  return {
    json: {
      keys: keys.map(({ keyid, name, path, algorithm }) => ({ keyid, name, path, algorithm })),
    },
    text: lines.length === 0
      ? "no key is trusted here yet: `stella keys generate` makes one, `stella keys trust FILE` takes one\n"
      : lines.join("\n") + "\n",
  };
}

function showPublic(options: ShowFlags, host: Host): Result {
  const path = options.key ?? ownFile("signing.key", host);
  const { pem, keyid } = publicOf(path, options.keyPassphraseFile);
  return { json: { keyid, pem }, text: pem };
}

export function trustKey(file: string, host: Host): Result {
  const key = readPublicKey(file);
  const directory = trustDirectories(host.environment).at(-1);
  if (directory === undefined) throw new TypeError("there is always a trust directory");
  const target = join(directory, `${basename(key.path).replace(/\.pub$/, "")}.pub`);
  if (existsSync(target)) {
    if (readPublicKey(target).keyid !== key.keyid) {
      const what = `Cannot trust ${shown(key.path)}: ${shown(target)} is another key`;
      throw new StellaError("key_differs", what, {
        hint: "rename the file, or remove the other key first",
      });
    }
  } else addTrust(directory, target, key);
  return {
    json: { keyid: key.keyid, path: target },
    text: `trusted ${key.keyid}\n  kept in   ${escaped(target)}\n`,
  };
}

/** Stores the key that was read and shown, not what is at its path by now. */
function addTrust(directory: string, target: string, { key }: TrustedKey): void {
  const make = () => mkdirSync(directory, { recursive: true, mode: 0o755 });
  tryIo("Cannot create the trust directory", directory, make);
  writeNew(target, pemOf(key), 0o644);
}

/** @throws StellaError usage; not_found where the service has no key yet */
async function showServiceKey(options: ShowFlags, host: Host): Promise<Result> {
  if (!options.public || options.key !== undefined) {
    const what = "Cannot show the key of a service: --public was not given";
    throw new StellaError("options_conflict", what, {
      hint: "use --server together with --public, and without --key",
    });
  }
  const answer = await new ServiceClient(options, host).call({ path: "/signing.pub" });
  if (answer.status !== 200) throw refusalOf(answer);
  const { keyid, key } = publicKeyFrom(answer.text, answer.url);
  const pem = pemOf(key);
  if (!options.quiet) {
    host.stderr(
      `note:  the key ${keyid} comes from ${escaped(answer.url)}: ` +
        "compare its keyid with the operator of the service before you trust it\n",
    );
  }
  return { json: { keyid, pem }, text: pem };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}
