/** Encodes the HMAC signature of a statement, as in `manifest.json.hmac.json`. */
import { encodeEnvelope, payloadType } from "../dsse.ts";
import { macOf, type SharedSecret } from "../secret.ts";

export function signWithSecret(secret: SharedSecret, statement: Uint8Array): Uint8Array {
  const signature = macOf(secret, payloadType, statement);
  return encodeEnvelope({ payloadType, payload: statement, keyid: secret.keyid, signature });
}
