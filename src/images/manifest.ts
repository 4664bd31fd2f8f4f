/**
 * Reads what an image consists of from its manifest or index, with limits on all that a registry
 * declares. Source: image-spec 1.1 manifest.md, image-index.md, descriptor.md; Docker's image
 * manifest version 2, schema 2.
 */
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import type { Digest } from "../domain/hash.ts";
import { isObject, type Json, type JsonObject } from "../domain/json.ts";
import { isDigest } from "../domain/reference.ts";
import { shown } from "../domain/names.ts";
import { ociTypes } from "../registry/artifact.ts";

export const dockerTypes = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  index: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

const indexTypes: readonly string[] = [ociTypes.index, dockerTypes.index];
const imageTypes: readonly string[] = [ociTypes.manifest, dockerTypes.manifest];

/** Manifests that an index may list, and layers that a manifest may have. */
const maxItems = 1000;
/** What registries have to accept of a manifest (distribution-spec, "Pushing Manifests"). */
export const maxManifestBytes = 4 * 1024 * 1024;

/** Content that another document refers to. */
export interface Part {
  mediaType: string;
  digest: Digest;
  /** Bytes. */
  size: number;
  /** Of the children of an index: `OS/ARCHITECTURE[/VARIANT]`. */
  platform?: string;
}

export interface ImageManifest {
  mediaType: string;
  /** The children of an index. */
  manifests: Part[];
  /** The config and the layers of a manifest. */
  blobs: Part[];
  /** The first of the blobs, if there is one. */
  config?: Part;
  /** The annotation `org.opencontainers.image.created`. */
  created?: string;
}

/** Why an image cannot be carried, as the end of a sentence. */
export class ContentFault extends Error {
  constructor(
    message: string,
    readonly reason: "image_invalid" | "image_missing" | "digest_mismatch" = "image_invalid",
  ) {
    super(message);
  }
}

/** @param declared its media type according to who refers to it @throws ContentFault */
export function readManifest(bytes: Uint8Array, declared: string): ImageManifest {
  const value = parsed(bytes);
  if (value["schemaVersion"] !== 2) throw new ContentFault("it is no manifest of schema version 2");
  const own = value["mediaType"];
  if (own !== undefined && own !== declared) {
    const found = typeof own === "string" ? own : "something else";
    throw new ContentFault(`it is declared as ${shown(declared)}, but says ${shown(found)}`);
  }
  // Two programs could otherwise read two images from one document.
  if (value["manifests"] !== undefined && (value["layers"] ?? value["config"]) !== undefined) {
    throw new ContentFault("it is both an index and a manifest");
  }
  const created = createdIn(value);
  if (indexTypes.includes(declared)) {
    const manifests = parts(value["manifests"], "manifests");
    return { mediaType: declared, manifests, blobs: [], ...created };
  }
  if (!imageTypes.includes(declared)) {
    throw new ContentFault(`the media type ${shown(declared)} is neither an image nor an index`);
  }
  const config = part(value["config"], "config");
  const layers = parts(value["layers"], "layers");
  return { mediaType: declared, manifests: [], config, blobs: [config, ...layers], ...created };
}

/** `OS/ARCHITECTURE[/VARIANT]`; undefined if it is none, as for attestations. */
export function platformIn(value: JsonObject): string | undefined {
  const { os, architecture, variant } = value;
  const names = variant === undefined || variant === ""
    ? [os, architecture]
    : [os, architecture, variant];
  const isUsable = names.every((name) => typeof name === "string" && /^[\w.-]{1,40}$/.test(name));
  return isUsable && os !== "unknown" ? names.join("/") : undefined;
}

function parsed(bytes: Uint8Array): JsonObject {
  let value: Json;
  try {
    value = parseStrict(bytes);
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    throw new ContentFault(`it is not valid JSON: ${error.message}`);
  }
  if (isObject(value)) return value;
  throw new ContentFault("it is not a JSON object");
}

function createdIn({ annotations }: JsonObject): { created?: string } {
  const created = isObject(annotations)
    ? annotations["org.opencontainers.image.created"]
    : undefined;
  return typeof created === "string" ? { created } : {};
}

function parts(value: Json | undefined, name: string): Part[] {
  if (!Array.isArray(value)) throw new ContentFault(`it has no list of ${name}`);
  if (value.length > maxItems) throw new ContentFault(`it has more than ${maxItems} ${name}`);
  return value.map((one, i) => part(one, `${name}[${i}]`));
}

function part(value: Json | undefined, place: string): Part {
  if (!isObject(value)) throw new ContentFault(`its ${place} is not an object`);
  const { mediaType, digest, size, platform } = value;
  if (typeof mediaType !== "string" || !/^[\x21-\x7e]{1,255}$/.test(mediaType)) {
    throw new ContentFault(`its ${place} has no valid media type`);
  }
  if (typeof digest !== "string" || !isDigest(digest)) {
    const found = typeof digest === "string" ? `the digest ${shown(digest)}` : "no digest";
    throw new ContentFault(`its ${place} has ${found}, not sha256: and 64 hex digits`);
  }
  if (typeof size !== "number" || size < 0) {
    throw new ContentFault(`its ${place} has no valid size`);
  }
  const named = isObject(platform) ? platformIn(platform) : undefined;
  return { mediaType, digest, size, ...(named === undefined ? {} : { platform: named }) };
}
