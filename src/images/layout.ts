/**
 * How a bundle carries images. Its payload root is an OCI image layout 1.0.0: `blobs/sha256/HEX`,
 * `index.json` and `oci-layout`, which other tools read without stella. Beside the manifest stands
 * images.json, which says in signed form what the layout holds: it is small, and read before the
 * archive. Everything here is a pure function of the images, so the same images give the same bytes.
 * Source: image-spec 1.1 image-layout.md and annotations.md.
 */
import { Buffer } from "node:buffer";
import {
  array,
  integer,
  object,
  oneOf,
  record,
  type Shape,
  ShapeFault,
  text,
} from "../bundle/json_shape.ts";
import { JsonFault, parseStrict } from "../bundle/strict_json.ts";
import { StellaError } from "../domain/errors.ts";
import type { Digest } from "../domain/hash.ts";
import { comparePaths } from "../domain/paths.ts";
import { isAuthority, isDigest, isRepository, isTag } from "../domain/reference.ts";

/** The signed list of images, a file of the bundle beside its manifest. */
export const imagesName = "images.json";
/** In the payload. */
export const layoutName = "oci-layout";
export const layoutIndexName = "index.json";

export interface ImagesDocument {
  schemaVersion: 1;
  /** In bytewise order of their names. */
  images: CarriedImage[];
  /** All blobs, manifests included, in bytewise order of their digests: that of the archive. */
  blobs: CarriedBlob[];
}

export interface CarriedBlob {
  digest: Digest;
  /** Bytes. */
  size: number;
}

export interface CarriedImage {
  /** `HOST[:PORT]/REPOSITORY:TAG`, or `...@sha256:HEX` if it has no tag. */
  name: string;
  /** `HOST[:PORT]`: `docker.io`, not the host that serves it. */
  registry: string;
  repository: string;
  tag?: string;
  /** Of the manifest or index that the name refers to. */
  digest: Digest;
  mediaType: string;
  /** `OS/ARCHITECTURE[/VARIANT]`; empty for artifacts that are no images, such as charts. */
  platforms: string[];
  /** Of the index that `digest` was derived from by a selection of platforms. */
  original?: Digest;
  /** The keys whose signatures were verified at the source. */
  signedBy?: string[];
  /** Signatures, SBOMs, attestations: of the index, of its children, of other referrers. */
  referrers: CarriedReferrer[];
  /** What the image consists of, with its referrers: numbers in `blobs`, ascending. */
  blobs: number[];
}

export interface CarriedReferrer {
  digest: Digest;
  mediaType: string;
  artifactType?: string;
  /** The manifest that it belongs to. */
  subject: Digest;
  /** `sha256-HEX.sig` and the like: the manifest itself does not name its subject. */
  tag?: string;
  annotations?: Record<string, string>;
}

/** Path of a blob in the payload. */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

export function encodeImages(document: ImagesDocument): Uint8Array {
  const { schemaVersion, images, blobs } = document;
  return encode({
    schemaVersion,
    images: images.map((image) => ({
      name: image.name,
      registry: image.registry,
      repository: image.repository,
      tag: image.tag,
      digest: image.digest,
      mediaType: image.mediaType,
      platforms: image.platforms,
      original: image.original,
      signedBy: image.signedBy,
      referrers: image.referrers.map(encodeReferrer),
      blobs: image.blobs,
    })),
    blobs: blobs.map(({ digest, size }) => ({ digest, size })),
  });
}

function encodeReferrer(referrer: CarriedReferrer) {
  const { digest, mediaType, artifactType, subject, tag, annotations } = referrer;
  const sorted = annotations && sortedAnnotations(annotations);
  return { digest, mediaType, artifactType, subject, tag, annotations: sorted };
}

/** Without a prototype, so that no key is special. */
function sortedAnnotations(annotations: Record<string, string>): Record<string, string> {
  const sorted: Record<string, string> = Object.create(null);
  const entries = Object.entries(annotations).sort(([a], [b]) => comparePaths(a, b));
  for (const [key, value] of entries) sorted[key] = value;
  return sorted;
}

/** `oci-layout` of the payload. */
export function encodeLayout(): Uint8Array {
  return encode({ imageLayoutVersion: "1.0.0" });
}

/** containerd looks names up by the first, everybody else by the second. */
const containerdName = "io.containerd.image.name";
const refName = "org.opencontainers.image.ref.name";

/**
 * `index.json` of the payload: a descriptor for each name, then the referrers and the tags that
 * belong to other manifests. A referrer without a tag has no name; its artifactType lets tools
 * find it.
 */
export function encodeLayoutIndex({ images, blobs }: ImagesDocument): Uint8Array {
  const sizes = new Map(blobs.map(({ digest, size }) => [digest, size]));
  const named = images.map(({ name, digest, mediaType }) => ({
    mediaType,
    digest,
    size: sizes.get(digest),
    annotations: { [containerdName]: name, [refName]: name },
  }));
  const attached = images.flatMap(({ registry, repository, referrers }) =>
    referrers.map(({ mediaType, digest, artifactType, tag }) => ({
      mediaType,
      digest,
      size: sizes.get(digest),
      artifactType,
      ...(tag === undefined
        ? {}
        : { annotations: { [refName]: `${registry}/${repository}:${tag}` } }),
    }))
  );
  return encode({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [...named, ...sortedOnce(attached)],
  });
}

/** Images may share referrers. */
function sortedOnce<T extends { digest: string }>(descriptors: readonly T[]): T[] {
  const byText = new Map(descriptors.map((one) => [one.digest + JSON.stringify(one), one]));
  return [...byText].sort(([a], [b]) => comparePaths(a, b)).map(([, one]) => one);
}

/** 2,000 images of 10^5 blobs need about 12 MiB. */
export const maxImagesBytes = 32 * 1024 * 1024;
const maxImages = 10_000;
const maxBlobs = 200_000;
const maxReferrers = 10_000;

const printable = text(/^[\x21-\x7e]{1,255}$/, "1 to 255 printable ASCII characters");
const anyText: Shape<string> = (value, place) => {
  if (typeof value === "string") return value;
  throw new ShapeFault(place, "is not a string");
};

function textThat(is: (value: string) => boolean, what: string): Shape<string> {
  return (value, place) => {
    if (typeof value === "string" && is(value)) return value;
    throw new ShapeFault(place, `is not ${what}`);
  };
}

const registry = textThat(isAuthority, "HOST[:PORT]");
const digest: Shape<Digest> = (value, place) => {
  if (typeof value === "string" && isDigest(value)) return value;
  throw new ShapeFault(place, "is not sha256: and 64 lowercase hex digits");
};
const repository = textThat(isRepository, "a repository");
const tag = textThat(isTag, "a tag");

const referrer = object({ digest, mediaType: printable, subject: digest }, {
  artifactType: printable,
  tag,
  annotations: record(anyText, 1000),
});

const image = object({
  name: anyText,
  registry,
  repository,
  digest,
  mediaType: printable,
  platforms: array(printable, 1000),
  referrers: array(referrer, maxReferrers),
  blobs: array(integer(0, maxBlobs), maxBlobs),
}, { tag, original: digest, signedBy: array(anyText, 100) });

const document = object({
  schemaVersion: oneOf(1),
  images: array(image, maxImages),
  blobs: array(object({ digest, size: integer(0) }, {}), maxBlobs),
}, {});

/**
 * Reads images.json strictly: exactly these fields, in the one encoding that encodeImages writes.
 * The result is consistent in itself; whether the archive holds the blobs is checked elsewhere.
 * @throws StellaError manifest, with the location of the first fault
 */
export function readImages(bytes: Uint8Array): ImagesDocument {
  if (bytes.length > maxImagesBytes) {
    refuse(`it has ${bytes.length} bytes, more than ${maxImagesBytes}`);
  }
  try {
    const read: ImagesDocument = document(parseStrict(bytes), "");
    checkBlobs(read.blobs);
    read.images.forEach((image, i) => checkImage(image, i, read));
    if (!Buffer.from(bytes).equals(encodeImages(read))) {
      refuse("its bytes are not in the one encoding of the format (key order, spaces, escapes)");
    }
    return read;
  } catch (error) {
    if (error instanceof JsonFault || error instanceof ShapeFault) refuse(error.message);
    throw error;
  }
}

function refuse(found: string): never {
  throw new StellaError("images_invalid", `Cannot read the list of images: ${found}`, {
    hint: "get the bundle again, or use the version of stella that the manifest's tool names",
  });
}

function checkBlobs(blobs: readonly CarriedBlob[]): void {
  blobs.forEach(({ digest }, i) => {
    const before = blobs[i - 1]?.digest ?? "";
    if (comparePaths(before, digest) < 0) return;
    throw new ShapeFault(`blobs[${i}]`, "is not after the one before it in bytewise order");
  });
}

function checkImage(image: CarriedImage, at: number, { images, blobs }: ImagesDocument): void {
  const place = `images[${at}]`;
  if (comparePaths(images[at - 1]?.name ?? "", image.name) >= 0) {
    throw new ShapeFault(`${place}.name`, "is not after the one before it in bytewise order");
  }
  if (image.name !== nameOf(image)) {
    throw new ShapeFault(`${place}.name`, "does not follow from registry, repository and tag");
  }
  const own = new Set<Digest>();
  image.blobs.forEach((number, i) => {
    const blob = number > (image.blobs[i - 1] ?? -1) ? blobs[number] : undefined;
    if (blob !== undefined) return own.add(blob.digest);
    throw new ShapeFault(`${place}.blobs[${i}]`, "is not the number of a further blob");
  });
  if (!own.has(image.digest)) throw new ShapeFault(`${place}.digest`, "is not among its blobs");
  image.referrers.forEach(({ digest, subject }, i) => {
    const which = `${place}.referrers[${i}]`;
    if (!own.has(digest)) throw new ShapeFault(`${which}.digest`, "is not among the blobs");
    if (!own.has(subject)) throw new ShapeFault(`${which}.subject`, "is not among the blobs");
  });
}

/** The name of an image: with its tag, else with its digest. */
export function nameOf(
  { registry, repository, tag, digest }: Pick<
    CarriedImage,
    "registry" | "repository" | "tag" | "digest"
  >,
): string {
  return `${registry}/${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`;
}

/** Compact JSON; fields that are undefined are left out. */
function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
