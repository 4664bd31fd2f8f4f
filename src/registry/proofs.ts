/**
 * Finds the signatures of a bundle: by the registry's referrers API, or by the index under the tag
 * `sha256-<hex>`. Source: distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema";
 * cosign specs/BUNDLE_SPEC.md.
 */
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { type Descriptor, digestOf, ociTypes, type Proof } from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import { openBlobReader } from "./blob_reader.ts";
import { descriptor, descriptorsAt, readObject } from "./layers.ts";
import type { Repository } from "./repository.ts";

/**
 * Whoever can write to the repository can attach signatures, so the number per kind, and of list
 * pages, is limited.
 */
const maxProofs = 16;
const maxPages = 16;
/** Bytes; ours have a few KiB. */
const maxProofListBytes = 1024 * 1024;

/**
 * The content of each signature of a kind, in the registry's order; invalid ones are skipped.
 * @throws RemoteError
 */
export async function proofsOf(
  repository: Repository,
  subject: Digest,
  proof: Proof,
): Promise<Uint8Array[]> {
  const type = ociTypes[proof];
  const listed = await listReferrers(repository, subject, type);
  const found: Uint8Array[] = [];
  for (const one of listed.slice(0, maxProofs)) {
    const bytes = await proofOf(repository, one, subject, type);
    if (bytes !== undefined) found.push(bytes);
  }
  return found;
}

/**
 * The tag is read too if the registry's own list has none: the registry may have added the API
 * after the push.
 */
async function listReferrers(
  repository: Repository,
  subject: Digest,
  type: string,
): Promise<Descriptor[]> {
  const own = new Listed(type);
  let page = await repository.referrers(subject);
  for (let pages = 1; page !== undefined; pages++) {
    own.add(page.bytes);
    if (page.next === undefined || pages === maxPages || own.isFull) break;
    page = await repository.referrers(subject, page.next);
  }
  if (own.all.length > 0) return own.all;
  const tagged = new Listed(type);
  const stored = await repository.index(subject.replace(":", "-"));
  if (stored !== undefined) tagged.add(stored.bytes);
  return tagged.all;
}

/**
 * Some registries omit the artifact type from their lists, others list the type of the empty config
 * (go-containerregistry): then the manifest decides. Entries with a known type come first, because
 * their number is limited.
 */
class Listed {
  readonly #sure: Descriptor[] = [];
  readonly #unsaid: Descriptor[] = [];

  constructor(readonly type: string) {}

  get isFull(): boolean {
    return this.#sure.length >= maxProofs;
  }

  get all(): Descriptor[] {
    return [...this.#sure, ...this.#unsaid];
  }

  /** The manifests of an index. */
  add(index: Uint8Array): void {
    const object = readObject(index);
    const listed = object && descriptorsAt(object, "manifests") || [];
    for (const one of listed) {
      if (one.mediaType !== ociTypes.manifest) continue;
      const isUnsaid = one.artifactType === undefined || one.artifactType === ociTypes.empty;
      if (one.artifactType === this.type) keep(this.#sure, one);
      else if (isUnsaid) keep(this.#unsaid, one);
    }
  }
}

function keep(list: Descriptor[], one: Descriptor): void {
  if (list.length < maxProofs) list.push(one);
}

async function proofOf(
  repository: Repository,
  listed: Descriptor,
  subject: Digest,
  type: string,
): Promise<Uint8Array | undefined> {
  const stored = await repository.fetch(listed.digest, [ociTypes.manifest]);
  const manifest = stored && readObject(stored.bytes);
  if (manifest === undefined || manifest["artifactType"] !== type) return undefined;
  if (descriptor(manifest["subject"])?.digest !== subject) return undefined;
  const layers = descriptorsAt(manifest, "layers") ?? [];
  const [layer] = layers;
  if (layer === undefined || layers.length > 1 || layer.size > maxProofListBytes) return undefined;
  return await readBlob(repository, layer);
}

async function readBlob(repository: Repository, layer: Descriptor) {
  const source: BundleSource = { name: "", open: () => openBlobReader(repository, layer) };
  const bytes = await readSmall(source, layer.digest, maxProofListBytes, "malformed");
  return bytes !== undefined && digestOf(bytes) === layer.digest ? bytes : undefined;
}
