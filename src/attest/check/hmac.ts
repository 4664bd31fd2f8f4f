/**
 * Checks HMAC signatures by a shared secret. It supports only HMAC-SHA256 and takes only secrets as
 * keys: an envelope cannot choose the algorithm, and a public key is never used as a secret.
 */
import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { type Finding, finding } from "../../domain/errors.ts";
import { sha256 } from "../../domain/hash.ts";
import { encodeEnvelope, type Envelope } from "../dsse.ts";
import { macOf, type SharedSecret } from "../secret.ts";
import { type Checked, checkStatement, parse, readDsse, refusal, Refused } from "./check.ts";

/**
 * Checks the envelope over the manifest's exact bytes against the local secrets. Invalid content
 * never throws: it becomes a finding, signature, or untrusted for an unknown secret.
 */
export function checkHmac(
  path: string,
  bytes: Uint8Array,
  manifestBytes: Uint8Array,
  secrets: readonly SharedSecret[],
): Checked {
  try {
    const envelope = readDsse(parse(bytes, "the envelope"));
    const keyid = checkKeyid(envelope.keyid);
    const secret = findSecret(envelope, secrets);
    checkStatement(envelope, sha256(manifestBytes));
    if (!Buffer.from(bytes).equals(encodeEnvelope(envelope))) {
      throw new Refused("malformed", "the envelope is not in the one encoding of the format");
    }
    if (secret === undefined) return { findings: [unknownSecret(path, keyid)] };
    return { signer: secret, findings: [] };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { findings: [refusal(path, error)] };
  }
}

/** The MAC does not cover the keyid: it must equal the secret's, no byte is arbitrary. */
function findSecret(envelope: Envelope, secrets: readonly SharedSecret[]) {
  const named = secrets.find((secret) => secret.keyid === envelope.keyid);
  if (named === undefined) return undefined;
  const expected = macOf(named, envelope.payloadType, envelope.payload);
  const found = envelope.signature;
  if (found.length === expected.length && timingSafeEqual(found, expected)) return named;
  const fault = `invalid HMAC signature for the secret ${named.keyid} (${named.name})`;
  throw new Refused("signature_invalid", fault);
}

function checkKeyid(keyid = ""): string {
  if (/^hmac-sha256:[A-Za-z0-9+/]{43}=$/.test(keyid)) return keyid;
  throw new Refused("malformed", "the keyid is not that of a shared secret");
}

function unknownSecret(path: string, keyid: string): Finding {
  return finding("key_unknown", {
    path,
    found: `signed with the secret ${keyid}, which is not the given one`,
    hint: "use the secret file that the exporting site uses",
  });
}
