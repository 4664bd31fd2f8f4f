/**
 * Trusted certificate authorities: those of a PEM file, or the system's. Passed explicitly, so that
 * no environment variable can add one.
 */
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { readRegular } from "../domain/regular_file.ts";
import { StellaError } from "../domain/errors.ts";

/** Where systems store trusted authorities, including those of the site. */
const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** PEM texts. `ca` is a path. @throws StellaError usage, io */
export function authorities(ca: string | undefined): readonly string[] {
  if (ca !== undefined) return certificatesIn(ca, readPem(ca));
  const path = bundles.find((bundle) => existsSync(bundle));
  return path === undefined ? rootCertificates : [readPem(path)];
}

/** The system's file has about 250 kB. */
const maxBytes = 16 * 1024 * 1024;

/** Also as Windows writes it: with a byte order mark, in UTF-16, with CRLF. */
export function readPem(path: string): string {
  const bytes = readRegular("Cannot read the certificates", path, maxBytes);
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  // The decoder removes the byte order mark.
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8").decode(bytes).replaceAll("\r\n", "\n");
}

const block = /^-----BEGIN CERTIFICATE-----[ \t]*\n[\s\S]*?^-----END [^\n]*-----/gm;

/** Parsed one by one: a damaged file must not look like an untrusted registry. */
function certificatesIn(path: string, text: string): string[] {
  const found = text.match(block) ?? [];
  if (found.length === 0) throw unfit(path, contentOf(text));
  for (const [at, pem] of found.entries()) {
    try {
      new X509Certificate(pem);
    } catch {
      throw unfit(path, `certificate ${at + 1} of ${found.length} in it is damaged`);
    }
  }
  return found;
}

function contentOf(text: string): string {
  if (text.trim() === "") return "it is empty";
  if (/^-----BEGIN [^\n]*PRIVATE KEY-----/m.test(text)) return "it holds a private key";
  // An ASN.1 SEQUENCE with two length bytes: the start of a DER certificate, decoded as UTF-8.
  if (text.startsWith("0\ufffd")) return "it is DER, not PEM";
  return "there is no certificate in it";
}

function unfit(path: string, found: string): StellaError {
  const what = `Cannot use the certificate authorities ${JSON.stringify(path)}: ${found}`;
  return new StellaError("certificate_invalid", what, {
    hint: "name a PEM file with -----BEGIN CERTIFICATE----- " +
      "(from DER: openssl x509 -inform der -in FILE -out ca.pem)",
  });
}
