/** The certificate of the service and its key, read at startup. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { ioError, messageOf, StellaError } from "../domain/errors.ts";

interface Tls {
  certificate: string;
  key: string;
}

/**
 * The content of two PEM files.
 * @throws StellaError usage if they cannot be read, do not match, or the key is world-readable
 */
export function readTls({ certificate, key }: Tls): Tls {
  const [chain, secret] = [read(certificate), read(key)];
  if ((statSync(key).mode & 0o007) !== 0) {
    throw refuse(
      key,
      "everybody may read it",
      "chmod 640 the file, and let only the service's group read it",
    );
  }
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(secret)) {
    throw refuse(
      key,
      "it is encrypted",
      "openssl pkey -in KEY -out PLAIN gives one without a passphrase; keep it to the service's group",
    );
  }
  let fits: boolean;
  try {
    fits = new X509Certificate(chain).checkPrivateKey(createPrivateKey(secret));
  } catch (error) {
    throw refuse(certificate, messageOf(error), "both files have to be PEM");
  }
  if (!fits) {
    throw refuse(
      key,
      `it is not the key of ${JSON.stringify(certificate)}`,
      "name both of one pair",
    );
  }
  return { certificate: chain, key: secret };
}

function read(path: string): string {
  try {
    // Opening a FIFO would otherwise block until somebody writes. Windows has no such flag.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      if (!fstatSync(fd).isFile()) throw new Error("it is not a regular file");
      // Windows editors put a byte order mark before the text.
      return readFileSync(fd, "utf8").replace(/^\ufeff/, "");
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError("Cannot read", path, error);
  }
}

function refuse(path: string, found: string, hint: string): StellaError {
  return new StellaError(
    "certificate_invalid",
    `Cannot use ${JSON.stringify(path)} for TLS: ${found}`,
    { hint },
  );
}
