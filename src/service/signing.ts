/**
 * The signing key of a service. The first export creates it, and never again: if it disappears (a
 * lost mount, a cleaned directory), signing fails, because no receiver would trust a new key.
 */
import type { Check } from "../http/readiness.ts";
import { messageOf, StellaError } from "../domain/errors.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";

export type Signing = ReturnType<typeof createSigning>;

export function createSigning(
  { signingKey }: Pick<ServiceOptions, "signingKey">,
  { queue, log }: Pick<ServiceResources, "queue" | "log">,
) {
  const { path } = signingKey;
  let wasSeen = queue.lastSuccesses().size > 0;
  /** Undefined if there is no key and never was. */
  const look = () => {
    const keyid = signingKey.find();
    if (keyid !== undefined) wasSeen = true;
    else if (wasSeen) throw keyMissing(path);
    return keyid;
  };
  const check: Check = {
    name: "signing:key",
    limit: 1_000,
    run: () => {
      try {
        return { status: "pass", output: look() ?? "the first export creates it" };
      } catch (error) {
        return { status: "fail", output: messageOf(error) };
      }
    },
  };
  return {
    /** For each export. @throws StellaError config if the key is missing or cannot be used */
    prepare: () => {
      if (look() !== undefined) return;
      const detail = signingKey.make();
      wasSeen = true;
      const body = "signing key created: receivers have to trust it";
      log("WARN", "key.made", body, { path, detail });
    },
    check,
  };
}

function keyMissing(path: string): StellaError {
  return new StellaError("key_missing", `Cannot sign: the key ${JSON.stringify(path)} is missing`, {
    hint:
      "restore it from a backup, or make a new one with `stella keys generate --out FILE` and " +
      "give its .pub to the receivers",
  });
}
