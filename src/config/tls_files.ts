/** The certificate of the service and its key, read at startup. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Stats } from "node:fs";
import { messageOf, StellaError } from "../domain/errors.ts";
import { readRegular } from "../domain/regular_file.ts";

/** Far above real chains of certificates. */
const maxBytes = 1024 * 1024;

interface Tls {
  certificate: string;
  key: string;
}

/**
 * The content of two PEM files.
 * @throws StellaError usage if they cannot be read, do not match, or the key is world-readable
 */
export function readTls({ certificate, key }: Tls): Tls {
  const chain = read(certificate);
  const secret = read(key, ({ mode }) => {
    if ((mode & 0o007) === 0) return;
    const hint = "chmod 640 the file, and let only the service's group read it";
    throw refuse(key, "everybody may read it", hint);
  });
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(secret)) {
    const hint = "make one without a passphrase: openssl pkey -in KEY -out PLAIN; keep it to the " +
      "service's group";
    throw refuse(key, "it is encrypted", hint);
  }
  let fits: boolean;
  try {
    fits = new X509Certificate(chain).checkPrivateKey(createPrivateKey(secret));
  } catch (error) {
    throw refuse(certificate, messageOf(error), "name two files in PEM");
  }
  if (fits) return { certificate: chain, key: secret };
  const found = `it is not the key of ${JSON.stringify(certificate)}`;
  throw refuse(key, found, "name both of one pair");
}

function read(path: string, check?: (stat: Stats) => void): string {
  // The decoder drops the byte order mark that Windows editors put before the text.
  return new TextDecoder().decode(readRegular("Cannot read", path, maxBytes, check));
}

function refuse(path: string, found: string, hint: string): StellaError {
  const what = `Cannot use ${JSON.stringify(path)} for TLS: ${found}`;
  return new StellaError("certificate_invalid", what, { hint });
}
