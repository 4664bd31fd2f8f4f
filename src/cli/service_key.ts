/** `stella keys show --public --server URL`: the public key that a service signs with. */
import { publicKeyFrom } from "../attest/check/trust.ts";
import { escaped } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import { askService } from "./ask_service.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { refusalOf } from "./service_answer.ts";

export interface ServiceKeyOptions extends CommonOptions {
  server: string;
  ca?: string;
  public?: boolean;
  key?: string;
}

/** Where a service shows its key, to everybody: it is public. */
const keyPath = "/signing.pub";

/** @throws StellaError usage; not_found where the service has no key yet */
export async function showServiceKey(options: ServiceKeyOptions, host: Host): Promise<Result> {
  if (!options.public || options.key !== undefined) {
    throw new StellaError("usage", "Cannot show the key of a service: --public was not given", {
      hint: "use --server together with --public, and without --key",
    });
  }
  const answer = await askService({ ...options, url: options.server }, keyPath, host);
  if (answer.status !== 200) throw refusalOf(answer);
  const { keyid, key } = publicKeyFrom(answer.text, answer.url);
  const pem = key.export({ type: "spki", format: "pem" }) as string;
  if (!options.quiet) {
    host.stderr(
      `note:  the key ${keyid} comes from ${escaped(answer.url)}: ` +
        "compare its keyid with the operator of the service before you trust it\n",
    );
  }
  return { code: 0, json: { ok: true, code: 0, keyid, pem }, text: pem };
}
