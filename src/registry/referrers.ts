/**
 * Referrers: the signatures of a bundle. Registries with the referrers API list them by themselves;
 * for the others clients maintain an index under the tag `sha256-<hex>` of the subject, possibly
 * with several writers. Source: distribution-spec 1.1, "Listing Referrers", "Referrers Tag Schema"
 * and "Pushing Manifests with Subject"; cosign specs/BUNDLE_SPEC.md.
 */
import { type BundleSource, readSmall } from "../bundle/source.ts";
import type { Digest } from "../domain/hash.ts";
import { isObject, objectIn } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { RemoteError } from "../net/failure.ts";
import { type Descriptor, digestOf, ociTypes, type Proof } from "./artifact.ts";
import { openBlobReader } from "./blob_reader.ts";
import { descriptor, descriptorsAt, readObject } from "./layers.ts";
import type { Repository, StoredManifest } from "./repository.ts";

const rounds = 5;

/** @returns how they are found: by the registry's own list, or by the tag that was written */
export async function announce(
  repository: Repository,
  subject: Digest,
  ...referrers: readonly Descriptor[]
): Promise<"api" | "tag"> {
  if (await repository.referrers(subject) !== undefined) return "api";
  const tag = tagOf(subject);
  for (let round = 0; round < rounds; round++) {
    const stored = await repository.index(tag);
    const merged = withReferrers(stored, referrers, tag);
    if (merged === undefined || await repository.putIndex(tag, merged, stored?.etag)) return "tag";
  }
  throw new RemoteError("rejected", `The tag ${tag} was changed by others ${rounds} times`, {
    hint: "push again when nobody else writes to this bundle's referrers",
  });
}

/** The index with `referrers` added, others unchanged; undefined if all are already there. */
export function withReferrers(
  stored: StoredManifest | undefined,
  referrers: readonly Descriptor[],
  tag: string,
): Uint8Array | undefined {
  const index = stored === undefined ? { manifests: [] } : indexIn(stored, tag);
  const there = new Set(index.manifests.map((one) => one["digest"]));
  const added = referrers.filter(({ digest }) => !there.has(digest));
  if (added.length === 0) return undefined;
  return new TextEncoder().encode(JSON.stringify({
    schemaVersion: 2,
    mediaType: ociTypes.index,
    ...index,
    manifests: [...index.manifests, ...added],
  }));
}

/** Other content under this tag is not overwritten: it may be the only list of its referrers. */
function indexIn({ mediaType, bytes }: StoredManifest, tag: string) {
  const index = mediaType === ociTypes.index ? objectIn(bytes, { fatal: true }) : undefined;
  const manifests = index?.["manifests"];
  if (Array.isArray(manifests) && manifests.every((one) => isObject(one))) {
    return { ...index, manifests };
  }
  const what = `The tag ${tag} holds ${shown(mediaType)}, not a list of referrers`;
  throw new RemoteError("rejected", what, { hint: "find out who wrote it, and remove the tag" });
}

/** Whoever can write to the repository can attach signatures, so their number is limited. */
const maxProofs = 16;
const maxPages = 16;
/** Bytes; ours have a few KiB. */
const maxProofListBytes = 1024 * 1024;

/** The signatures of a kind, in the registry's order; invalid ones are skipped. */
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

/** The tag of the index of referrers. */
function tagOf(subject: Digest): string {
  return subject.replace(":", "-");
}

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
  // The registry may have added the API after the push.
  const tagged = new Listed(type);
  const stored = await repository.index(tagOf(subject));
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
