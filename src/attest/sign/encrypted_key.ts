/**
 * Private keys protected by a passphrase: PKCS#8 `ENCRYPTED PRIVATE KEY` (RFC 5958) with PBES2 (RFC
 * 8018): PBKDF2 with HMAC-SHA-256 and AES-256-CBC, which OpenSSL 1.1 and later reads. Implemented
 * here because node:crypto's export uses only 2,048 iterations, too few for a typed passphrase.
 * Passphrases are read from files: other processes can see arguments and variables.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, type KeyObject, pbkdf2Sync, randomBytes } from "node:crypto";
import { shown } from "../../domain/names.ts";
import { readPrivateFile } from "../../domain/regular_file.ts";
import { StellaError } from "../../domain/errors.ts";

/** OWASP's recommendation of 2021; half a second with this runtime's PBKDF2. */
const iterations = 310_000;
const maxPassphraseLength = 1024;
const maxFileBytes = 64 * 1024;

/** The first line of a file that only its owner can read. @throws StellaError config, io */
export function readPassphrase(path: string): string {
  const bytes = readPrivateFile("the passphrase in", path, maxFileBytes);
  const line = new TextDecoder().decode(bytes).replace(/\r?\n$/, "");
  const fault = line === ""
    ? "it is empty"
    : /[\r\n]/.test(line)
    ? "it has more than one line"
    : line.length > maxPassphraseLength
    ? `it is longer than ${maxPassphraseLength} characters`
    : undefined;
  if (fault === undefined) return line;
  throw new StellaError(
    "passphrase_invalid",
    `Cannot use the passphrase in ${shown(path)}: ${fault}`,
    { hint: "put only the passphrase into the file, on one line" },
  );
}

/** Whether a PEM is a PKCS#8 key that is protected by a passphrase. */
export function isEncrypted(pem: string): boolean {
  return pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----");
}

/** PEM of `key`, Ed25519 or P-256, under the passphrase; different each time. */
export function encryptKey(key: KeyObject, passphrase: string): string {
  const plain = key.export({ type: "pkcs8", format: "der" });
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const derived = pbkdf2Sync(passphrase, salt, iterations, 32, "sha256");
  const cipher = createCipheriv("aes-256-cbc", derived, iv);
  const content = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  derived.fill(0);
  const der = tlv(0x30, schemeOf(salt, iv), tlv(0x04, content)).toString("base64");
  const lines = der.replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** PBES2-params (RFC 8018, appendix A.4) in DER; all lengths are known. */
function schemeOf(salt: Buffer, iv: Buffer): Buffer {
  const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
  const pbes2 = "3060 06092a864886f70d01050d 3053";
  const pbkdf2 = "3032 06092a864886f70d01050c 3025 0410";
  const count = `0203 ${iterations.toString(16).padStart(6, "0")}`;
  const hmacSha256 = "300c 06082a864886f70d0209 0500";
  const aes256Cbc = "301d 060960864801650304012a 0410";
  return Buffer.concat([hex(pbes2 + pbkdf2), salt, hex(count + hmacSha256 + aes256Cbc), iv]);
}

/** A DER element of up to 255 bytes, which is enough for these keys. */
function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  return Buffer.concat([Buffer.from(length < 0x80 ? [tag, length] : [tag, 0x81, length]), content]);
}
