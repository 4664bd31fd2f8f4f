/** Parses manifests from a registry strictly, as far as they are used: image-spec 1.1. */
import { isObject, type Json, type JsonObject } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import { StellaError } from "../domain/errors.ts";
import { type Descriptor, ociTypes, title } from "./artifact.ts";
import { isDigest } from "../domain/reference.ts";
import type { StoredManifest } from "./repository.ts";

/** The blobs of a bundle by file name. */
export type Layers = ReadonlyMap<string, Descriptor>;

/** @throws StellaError manifest if it is not the manifest of a bundle */
export function readLayers(stored: StoredManifest, name: string): Layers {
  const unfit = (found: string) =>
    new StellaError("artifact_invalid", `Cannot read ${shown(name)}: ${found}`, {
      hint: "check repository and tag: the artifact was not pushed by stella",
    });
  const manifest = readObject(stored.bytes);
  if (manifest === undefined) throw unfit("its manifest is not JSON");
  if (manifest["artifactType"] !== ociTypes.bundle) throw unfit("it is not a bundle of stella");
  const layers = descriptorsAt(manifest, "layers");
  if (layers === undefined) throw unfit("its layers are not in the form of the image-spec");
  const named = new Map(layers.map((layer) => [layer.annotations?.[title] ?? "", layer]));
  if (named.has("") || named.size < layers.length) throw unfit("its layers have no unique names");
  return named;
}

/** The JSON object in `bytes`; undefined if there is none. */
export function readObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseStrict(bytes);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}

/** A list of descriptors; undefined if one of them is invalid. */
export function descriptorsAt(object: JsonObject, name: string): Descriptor[] | undefined {
  const list = object[name];
  const found = Array.isArray(list) ? list.map(descriptor) : [undefined];
  return found.every((one) => one !== undefined) ? found : undefined;
}

/** A descriptor, as far as it is used here. */
export function descriptor(value: Json | undefined): Descriptor | undefined {
  if (!isObject(value)) return undefined;
  const { mediaType, digest, size, artifactType, annotations } = value;
  if (typeof mediaType !== "string" || typeof size !== "number" || size < 0) return undefined;
  if (typeof digest !== "string" || !isDigest(digest)) return undefined;
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(isObject(annotations) ? { annotations: textsIn(annotations) } : {}),
  };
}

/** The fields that are strings, as annotations have to be. */
export function textsIn(object: JsonObject): Record<string, string> {
  const isText = (entry: [string, Json]): entry is [string, string] => typeof entry[1] === "string";
  return Object.fromEntries(Object.entries(object).filter(isText));
}
