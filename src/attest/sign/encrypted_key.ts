/**
 * Private keys under a passphrase: PKCS#8 `ENCRYPTED PRIVATE KEY` (RFC 5958) with PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256 and
 * AES-256-CBC, which OpenSSL 1.1 and later read. Written here, because node:crypto's own export counts to 2,048 only, and a
 * passphrase that a person can type needs more. Passphrases come from files: what stands in arguments or variables others can see.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, type KeyObject, pbkdf2Sync, randomBytes } from "node:crypto";
import { shown } from "../../domain/names.ts";
import { readRegular } from "../../domain/regular_file.ts";
import { StellaError } from "../../domain/errors.ts";

/** OWASP's figure of 2021; half a second with this runtime's PBKDF2. */
const iterations = 310_000;
const maxPassphraseLength = 1024;
const maxFileBytes = 64 * 1024;

/**
 * The passphrase in a file that only its owner can read: its first line, without the line end.
 * @throws StellaError usage
 */
export function readPassphrase(path: string): string {
  const bytes = readRegular("Cannot read the passphrase", path, maxFileBytes, ({ mode }) => {
    if ((mode & 0o077) !== 0) throw readable(path);
  });
  const line = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  const fault = line === ""
    ? "it is empty"
    : /[\r\n]/.test(line)
    ? "it has more than one line"
    : line.length > maxPassphraseLength
    ? `it is longer than ${maxPassphraseLength} characters`
    : undefined;
  if (fault === undefined) return line;
  throw new StellaError("usage", `Cannot use the passphrase in ${shown(path)}: ${fault}`, {
    hint: "the file holds the passphrase in one line, and nothing else",
  });
}

function readable(path: string): StellaError {
  return new StellaError(
    "usage",
    `Cannot use the passphrase in ${shown(path)}: others can read it`,
    {
      hint: `run: chmod 600 ${path}`,
    },
  );
}

/** Whether a PEM is a PKCS#8 key that needs a passphrase. */
export function isEncrypted(pem: string): boolean {
  return pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
}

/** PEM of `key` under the passphrase; another one each time. */
export function encryptKey(key: KeyObject, passphrase: string): string {
  const plain = key.export({ type: "pkcs8", format: "der" });
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const derived = pbkdf2Sync(passphrase, salt, iterations, 32, "sha256");
  const cipher = createCipheriv("aes-256-cbc", derived, iv);
  const content = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  derived.fill(0);
  const derivation = sequence(
    oids.pbkdf2,
    sequence(octets(salt), count, sequence(oids.hmac, null_)),
  );
  const scheme = sequence(oids.pbes2, sequence(derivation, sequence(oids.aes, octets(iv))));
  return pem(sequence(scheme, octets(content)));
}

/** Object identifiers of RFC 8018, appendix C, as DER. */
const oids = {
  pbes2: oid("2a864886f70d01050d"),
  pbkdf2: oid("2a864886f70d01050c"),
  hmac: oid("2a864886f70d0209"),
  aes: oid("60864801650304012a"),
};
const null_ = Buffer.from([0x05, 0x00]);
const count = tlv(0x02, Buffer.from(iterations.toString(16).padStart(6, "0"), "hex"));

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, "hex"));
}

function octets(bytes: Buffer): Buffer {
  return tlv(0x04, bytes);
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}
