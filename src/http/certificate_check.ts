/** Whether the certificate of the service is valid, and for how long still: a client that refuses it tells nobody but its user. */
import { X509Certificate } from "node:crypto";
import type { Check } from "./readiness.ts";

export interface CertificateOptions {
  /** The PEM text that is shown now. */
  certificate(): string;
  /** Milliseconds since 1970. */
  now(): number;
}

const day = 86_400_000;
/** Days: enough to have a certificate renewed by people. */
const soon = 14;

/** Warns two weeks before the end, and fails after it; as it does before the beginning. */
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
      if (left <= 0) return { status: "fail", output: `it ended at ${validTo}` };
      return { status: left < soon ? "warn" : "pass", output: `it ends at ${validTo}` };
    },
  };
}
