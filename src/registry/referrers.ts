/**
 * Makes a referrer discoverable. Registries with the referrers API do that by themselves; for the
 * others clients maintain an index under the tag `sha256-<hex>` of the subject, possibly with
 * several writers. Source: distribution-spec 1.1, "Referrers Tag Schema" and "Pushing Manifests
 * with Subject".
 */
import { isObject, objectIn } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { type Descriptor, ociTypes } from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import { RemoteError } from "../net/failure.ts";
import type { Repository, StoredManifest } from "./repository.ts";

const rounds = 5;

/** @returns how `referrer` is found: by the registry's own list, or by the tag that was written */
export async function announce(
  repository: Repository,
  subject: Digest,
  referrer: Descriptor,
): Promise<"api" | "tag"> {
  if (await repository.referrers(subject) !== undefined) return "api";
  const tag = subject.replace(":", "-");
  for (let round = 0; round < rounds; round++) {
    const stored = await repository.index(tag);
    const merged = withReferrer(stored, referrer, tag);
    if (merged === undefined || await repository.putIndex(tag, merged, stored?.etag)) return "tag";
  }
  throw new RemoteError("rejected", `The tag ${tag} was changed by others ${rounds} times`, {
    hint: "push again when nobody else writes to this bundle's referrers",
  });
}

/**
 * The index with `referrer` added; undefined if it is already there. Other entries stay unchanged.
 */
export function withReferrer(
  stored: StoredManifest | undefined,
  referrer: Descriptor,
  tag: string,
): Uint8Array | undefined {
  const index = stored === undefined ? { manifests: [] } : indexIn(stored, tag);
  if (index.manifests.some((one) => one["digest"] === referrer.digest)) return undefined;
  return new TextEncoder().encode(JSON.stringify({
    schemaVersion: 2,
    mediaType: ociTypes.index,
    ...index,
    manifests: [...index.manifests, referrer],
  }));
}

/** Other content under this tag is not overwritten: it may be somebody's only list. */
function indexIn({ mediaType, bytes }: StoredManifest, tag: string) {
  const index = mediaType === ociTypes.index ? objectIn(bytes) : undefined;
  const manifests = index?.["manifests"];
  if (Array.isArray(manifests) && manifests.every((one) => isObject(one))) {
    return { ...index, manifests };
  }
  const what = `The tag ${tag} holds ${shown(mediaType)}, not a list of referrers`;
  throw new RemoteError("rejected", what, { hint: "find out who wrote it, and remove the tag" });
}
