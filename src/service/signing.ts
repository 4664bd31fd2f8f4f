/**
 * The key that the exports of a service are signed with. The first one makes it; once there was one it is never made again without
 * a word: a key that is gone (a lost mount, a cleaned directory) would be replaced by one that no far side trusts.
 */
import type { Check } from "../http/readiness.ts";
import { messageOf, StellaError } from "../domain/errors.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";

export interface Signing {
  /** To be called before each export. @throws StellaError usage where the key is gone, or cannot be used */
  prepare(): void;
  check: Check;
}

export function createSigning(
  { signingKey }: Pick<ServiceOptions, "signingKey">,
  { queue, log }: Pick<ServiceResources, "queue" | "log">,
): Signing {
  let wasSeen = queue.lastSuccesses().size > 0;
  /** Undefined where there is none, and never was. */
  const look = () => {
    const keyid = signingKey.find();
    if (keyid !== undefined) wasSeen = true;
    else if (wasSeen) throw keyMissing(signingKey.path);
    return keyid;
  };
  return {
    prepare: () => {
      if (look() !== undefined) return;
      const detail = signingKey.make();
      wasSeen = true;
      log(
        "WARN",
        "key.made",
        "There was no signing key, so one was made: the far side has to trust it",
        {
          path: signingKey.path,
          detail,
        },
      );
    },
    check: {
      name: "signing:key",
      limit: 1_000,
      run: () => {
        try {
          return { status: "pass", output: look() ?? "the first export makes it" };
        } catch (error) {
          return { status: "fail", output: messageOf(error) };
        }
      },
    },
  };
}

function keyMissing(path: string): StellaError {
  return new StellaError("usage", `Cannot sign: the key ${JSON.stringify(path)} is gone`, {
    hint:
      "put it back from a backup, or make a new one with `stella keys generate --out FILE` and give its .pub to the far side",
  });
}
