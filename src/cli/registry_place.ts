/** A bundle in a registry: verified in place by the same code, without writing anything. */
import { checkAttestation } from "../attest/check/check.ts";
import { checkHmac } from "../attest/check/hmac.ts";
import { attestationName, hmacName } from "../bundle/manifest.ts";
import { parseReference } from "../domain/reference.ts";
import { type Choice, RegistryBundle } from "../registry/source.ts";
import type { Host } from "./host.ts";
import type { Place, PlaceFlags, Trust } from "./open_bundle.ts";
import { clientFor } from "./registry_client.ts";

/** Makes no connection yet. @throws StellaError usage */
export async function registryPlace(name: string, options: PlaceFlags, host: Host): Promise<Place> {
  const reference = parseReference(name);
  const client = await clientFor(reference, options, host);
  return {
    name,
    directories: [],
    needs: ["net"],
    open(trust) {
      const source = new RegistryBundle(client, reference, chooserFor(trust), host.stop);
      return {
        source,
        // Where the files are right, the registry's own manifest has to be so too.
        remainingFindings: async (_, isGood) => {
          const finding = isGood ? await source.check() : undefined;
          return finding === undefined ? [] : [finding];
        },
        close: () => client.close(),
      };
    },
  };
}

/** Anybody may have attached signatures: the first valid one by a trusted key, else the first. */
function chooserFor({ trusted, secrets = [] }: Trust): Choice {
  return (candidates, manifest, proof) => {
    const isRight = (bytes: Uint8Array) =>
      proof === "hmac"
        ? checkHmac(hmacName, bytes, manifest, secrets).findings.length === 0
        : checkAttestation(attestationName, bytes, manifest, trusted).findings.length === 0;
    return Math.max(0, candidates.findIndex(isRight));
  };
}
