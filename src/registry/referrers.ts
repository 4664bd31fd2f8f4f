/**
 * Makes a referrer discoverable. Registries with the referrers API do that by themselves; for the
 * others clients maintain an index under the tag `sha256-<hex>` of the subject, possibly with
 * several writers. Source: distribution-spec 1.1, "Referrers Tag Schema" and "Pushing Manifests
 * with Subject".
 */
import { isObject } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { type Descriptor, ociTypes } from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import { RegistryError } from "../net/failure.ts";
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
  throw new RegistryError("rejected", `The tag ${tag} was changed by others ${rounds} times`, {
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
  const index = stored === undefined ? {} : parsedIndex(stored, tag);
  const manifests = index.manifests ?? [];
  if (manifests.some((one) => one.digest === referrer.digest)) return undefined;
  return new TextEncoder().encode(JSON.stringify({
    schemaVersion: 2,
    mediaType: ociTypes.index,
    ...index,
    manifests: [...manifests, referrer],
  }));
}

interface Index {
  manifests?: { digest?: unknown }[];
}

/** Other content under this tag is not overwritten: it may be somebody's only list. */
function parsedIndex(stored: StoredManifest, tag: string): Index {
  const value = stored.mediaType === ociTypes.index ? parsedObject(stored.bytes) : undefined;
  if (Array.isArray(value?.manifests) && value.manifests.every(isObject)) return value as Index;
  const what = `The tag ${tag} holds ${shown(stored.mediaType)} , not a list of referrers`;
  throw new RegistryError("rejected", what, { hint: "find out who wrote it, and remove the tag" });
}

function parsedObject(bytes: Uint8Array): { manifests?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
