/**
 * What a manifest or index refers to: image-spec 1.1 manifest.md, image-index.md, and Docker's
 * image manifest version 2, schema 2, which has the same form. Digests are fixed, so everything is
 * carried as it is; what this program cannot follow is refused.
 */
import { StellaError } from "../domain/errors.ts";
import type { Digest } from "../domain/hash.ts";
import { isObject, type JsonObject } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { type Descriptor, manifestTypes } from "../registry/artifact.ts";
import { descriptor, descriptorsAt, readObject, textsIn } from "../registry/layers.ts";

/** Bytes; registries accept no more: distribution-spec 1.1, "Pushing Manifests". */
export const maxManifestBytes = 4 * 1024 * 1024;
const maxChildren = 1_000;

export interface ManifestContent {
  mediaType: string;
  /** Manifests that an index lists. */
  children: readonly Descriptor[];
  /** Configuration and layers. */
  blobs: readonly Descriptor[];
  /** The manifest that it is attached to. */
  subject: Digest | undefined;
  /** For a list of referrers. */
  artifactType: string | undefined;
  annotations: Record<string, string> | undefined;
}

/** @param expected the media type that refers to it @throws StellaError unsuitable content */
export function readContent(bytes: Uint8Array, digest: Digest, expected: string): ManifestContent {
  const refuse = (found: string) => {
    const what = `Cannot use the manifest ${digest}: ${found}`;
    return new StellaError("images_invalid", what, {
      hint: "report this to the sender of the bundle",
    });
  };
  const object = readObject(bytes);
  if (object === undefined) throw refuse("it is not JSON");
  const own = object["mediaType"];
  if (own !== undefined && own !== expected) {
    throw refuse(`it is ${shown(String(own))}, and is listed as ${shown(expected)}`);
  }
  if (object["schemaVersion"] !== 2) throw refuse("its schema version is not 2");
  const isIndex = "manifests" in object;
  if (isIndex && ("layers" in object || "config" in object)) {
    throw refuse("it is both an index and an image");
  }
  const parts = isIndex ? partsOfIndex(object) : partsOfImage(object);
  if (parts === undefined) throw refuse("its descriptors are invalid, or not by sha256");
  if (parts.children.length > maxChildren) throw refuse(`it lists more than ${maxChildren} others`);
  const subject = descriptor(object["subject"]);
  if (object["subject"] !== undefined && subject === undefined) {
    throw refuse("its subject is not a descriptor");
  }
  return { ...parts, ...attachment(object), mediaType: expected, subject: subject?.digest };
}

/** Build caches list their blobs in an index. */
function partsOfIndex(object: JsonObject) {
  const listed = descriptorsAt(object, "manifests");
  const [children, blobs] = [true, false].map((isManifest) =>
    listed?.filter(({ mediaType }) => manifestTypes.includes(mediaType) === isManifest) ?? []
  );
  return listed && children && blobs && { children, blobs };
}

function partsOfImage(object: JsonObject) {
  const config = descriptor(object["config"]);
  const layers = descriptorsAt(object, "layers");
  return config && layers && { children: [], blobs: [config, ...layers] };
}

function attachment(object: JsonObject) {
  const { artifactType, annotations } = object;
  const config = descriptor(object["config"]);
  return {
    artifactType: typeof artifactType === "string" ? artifactType : config?.mediaType,
    annotations: isObject(annotations) ? textsIn(annotations) : undefined,
  };
}

/** A layer that registries need not have: image-spec layer.md, "Non-Distributable Layers". */
export function isForeign({ mediaType }: Descriptor): boolean {
  return /\.layer\.nondistributable\.|\.rootfs\.foreign\./.test(mediaType);
}
