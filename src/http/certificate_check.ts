/**
 * The readiness check for the validity of the service's certificate: otherwise only users of
 * clients that refuse it would notice.
 */
import { X509Certificate } from "node:crypto";
import type { Check } from "./readiness.ts";

export interface CertificateOptions {
  /** PEM text of the current certificate. */
  certificate(): string;
  /** Milliseconds since 1970. */
  now(): number;
}

const day = 86_400_000;
/** Days: enough to have a certificate renewed manually. */
const soon = 14;

/** Warns two weeks before the certificate expires; fails after that, and before it is valid. */
export function certificateValid({ certificate, now }: CertificateOptions): Check {
  return {
    name: "tls:certificate",
    limit: 1_000,
    run: () => {
      const { validFrom, validTo } = new X509Certificate(certificate());
      const left = (Date.parse(validTo) - now()) / day;
      if (Date.parse(validFrom) > now()) {
        return { status: "fail", output: `it is not valid before ${validFrom}` };
      }
      if (left <= 0) return { status: "fail", output: `it expired at ${validTo}` };
      return { status: left < soon ? "warn" : "pass", output: `it expires at ${validTo}` };
    },
  };
}
