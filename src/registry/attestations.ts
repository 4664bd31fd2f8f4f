/**
 * The attestations that refer to a bundle: by the registry's own list, or by the index under the tag `sha256-<hex>`.
 * Source: distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema"; cosign specs/BUNDLE_SPEC.md.
 */
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { type Descriptor, type Digest, digestOf, ociTypes } from "./artifact.ts";
import { openBlobReader } from "./blob_reader.ts";
import { descriptor, descriptorsAt, readObject } from "./layers.ts";
import type { Repository } from "./repository.ts";

/** Whoever may write to the repository may attach attestations: no more than so many are looked at. */
const mostAttestations = 16;
/** Bytes; one of ours has a few KiB. */
const largest = 1024 * 1024;

/**
 * The bytes of each, in the order of the registry; what cannot be one is passed over.
 * @throws RegistryError
 */
export async function attestationsOf(
  repository: Repository,
  subject: Digest,
): Promise<Uint8Array[]> {
  const listed = await listReferrers(repository, subject);
  const found: Uint8Array[] = [];
  for (const one of listed.slice(0, mostAttestations)) {
    const bytes = await attestationOf(repository, one, subject);
    if (bytes !== undefined) found.push(bytes);
  }
  return found;
}

/** The tag is looked at too where the registry's own list has none: it may have learnt to keep one after the push. */
async function listReferrers(repository: Repository, subject: Digest): Promise<Descriptor[]> {
  const own = attestationsIn((await repository.referrers(subject))?.bytes);
  if (own.length > 0) return own;
  return attestationsIn((await repository.index(subject.replace(":", "-")))?.bytes);
}

/** Some registries leave the artifact type out of their lists: then the manifest itself says it. */
function attestationsIn(index: Uint8Array | undefined): Descriptor[] {
  const object = index && readObject(index);
  const listed = object && descriptorsAt(object, "manifests") || [];
  return listed.filter(({ artifactType = ociTypes.attestation, mediaType }) =>
    mediaType === ociTypes.manifest && artifactType === ociTypes.attestation
  );
}

async function attestationOf(
  repository: Repository,
  listed: Descriptor,
  subject: Digest,
): Promise<Uint8Array | undefined> {
  const stored = await repository.fetch(listed.digest, [ociTypes.manifest]);
  const manifest = stored && readObject(stored.bytes);
  if (manifest === undefined || manifest["artifactType"] !== ociTypes.attestation) return undefined;
  if (descriptor(manifest["subject"])?.digest !== subject) return undefined;
  const layers = descriptorsAt(manifest, "layers") ?? [];
  const [layer] = layers;
  if (layer === undefined || layers.length > 1 || layer.size > largest) return undefined;
  return await readBlob(repository, layer);
}

async function readBlob(repository: Repository, layer: Descriptor) {
  const source: BundleSource = { name: "", open: () => openBlobReader(repository, layer) };
  const bytes = await readSmall(source, layer.digest, largest, "signature");
  return bytes !== undefined && digestOf(bytes) === layer.digest ? bytes : undefined;
}
