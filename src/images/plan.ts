/**
 * What a bundle of images consists of: resolves the references and reads all manifests, so that
 * path, size and digest of every entry are known before the first blob is fetched. The result
 * depends on the content of the registries alone, not on the order of their answers.
 */
import { type Finding, StellaError } from "../domain/errors.ts";
import { type Digest, sha256 } from "../domain/hash.ts";
import { objectIn } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { comparePaths } from "../domain/paths.ts";
import { earliestCreated, latestCreated } from "../domain/time.ts";
import { manifestTypes } from "../registry/artifact.ts";
import { openBlobReader } from "../registry/blob_reader.ts";
import type { Repository } from "../registry/repository.ts";
import { allOf, Lanes } from "./lanes.ts";
import { type CarriedImage, type ImagesDocument, nameOf } from "./layout.ts";
import {
  ContentFault,
  type ImageManifest,
  maxManifestBytes,
  type Part,
  platformIn,
  readManifest,
} from "./manifest.ts";
import type { ImageReference } from "../domain/image_reference.ts";

export interface ImagePlan {
  readonly document: ImagesDocument;
  /** In the order of the archive. */
  readonly blobs: readonly ImageBlob[];
  /** Seconds since 1970: the newest time that configs and annotations state. */
  readonly created: number;
}

export interface ImageBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Where it is fetched from: one of the repositories that have it. */
  readonly from: Repository;
  /** An image that it belongs to, for messages. */
  readonly image: string;
  /** Whether it is fetched as a manifest; registries do not serve those as blobs. */
  readonly isManifest: boolean;
  /** If it was read for the plan and kept. */
  readonly bytes?: Uint8Array;
}

/** Requests at the same time. */
const lanes = 8;
/** An index of indexes of indexes of manifests. */
const maxDepth = 4;
const maxBlobs = 200_000;
/** Manifests and configs are kept up to this many bytes; the others are fetched a second time. */
const maxKept = 32 * 1024 * 1024;

const configTypes = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];

/** @throws StellaError that names every image that cannot be carried, and why */
export async function planImages(
  images: readonly ImageReference[],
  repositoryOf: (image: ImageReference) => Repository,
): Promise<ImagePlan> {
  const planner = new Planner();
  const outcomes = await Promise.allSettled(
    images.map((image) => planner.add(image, repositoryOf(image))),
  );
  const failures = outcomes.flatMap((outcome, i) =>
    outcome.status === "fulfilled" ? [] : [{ image: images[i]?.text ?? "", thrown: outcome.reason }]
  );
  if (failures.length > 0) throw refused(failures, images.length);
  return planner.plan();
}

interface Failure {
  image: string;
  thrown: unknown;
}

function refused(failures: readonly Failure[], count: number): unknown {
  const known = failures.flatMap(({ image, thrown }) => {
    const error = errorFor(image, thrown);
    return error === undefined ? [] : [{ image, error }];
  });
  const [first] = known;
  if (first === undefined || known.length < failures.length) {
    return failures.find(({ image, thrown }) => errorFor(image, thrown) === undefined)?.thrown;
  }
  if (known.length === 1) return first.error;
  const findings = known.map(({ image, error }): Finding => {
    const { kind, reason, message: found, hint } = error;
    return { kind, reason, path: image, found, ...(hint === undefined ? {} : { hint }) };
  });
  const text = `Cannot export ${known.length} of the ${count} images`;
  return new StellaError(first.error.reason, text, {
    kind: first.error.kind,
    findings,
    hint: "correct the images above, or leave them out",
  });
}

/** Undefined for a defect of the program. */
function errorFor(image: string, thrown: unknown): StellaError | undefined {
  const about = `Cannot export the image ${shown(image)}`;
  if (thrown instanceof ContentFault) {
    const hint = hints[thrown.reason];
    return new StellaError(thrown.reason, `${about}: ${thrown.message}`, { hint });
  }
  if (!(thrown instanceof StellaError)) return undefined;
  return thrown.kind === "interrupted" ? thrown : thrown.reworded(`${about}: ${thrown.message}`);
}

const hints: Readonly<Record<ContentFault["reason"], string>> = {
  digest_mismatch: "check why the tag was moved, then name the new digest, or the tag alone",
  image_invalid: "check the image at its source, or leave it out",
  image_missing: "check registry, repository and tag",
};

interface Content {
  manifest: ImageManifest;
  size: number;
}

interface Config {
  platform: string | undefined;
}

/** One image while it is read. */
interface Reading {
  name: string;
  from: Repository;
  /** Everything that it consists of. */
  parts: Set<Digest>;
  platforms: Set<string>;
}

class Planner {
  readonly #lanes = new Lanes(lanes);
  readonly #images = new Map<string, { image: Omit<CarriedImage, "blobs">; parts: Set<Digest> }>();
  readonly #blobs = new Map<Digest, ImageBlob>();
  readonly #contents = new Map<Digest, Promise<Content>>();
  readonly #configs = new Map<Digest, Promise<Config>>();
  #newest = earliestCreated;
  #kept = 0;

  async add(asked: ImageReference, from: Repository): Promise<void> {
    const { registry, repository, tag } = asked;
    const digest = await this.#resolve(asked, from);
    const reading: Reading = {
      name: asked.text,
      from,
      parts: new Set(),
      platforms: new Set(),
    };
    const { manifest: { mediaType } } = await this.#walk(reading, { digest }, 1);
    const named = { registry, repository, ...(tag === undefined ? {} : { tag }), digest };
    const name = nameOf(named);
    const platforms = [...reading.platforms].sort(comparePaths);
    const image = { name, ...named, mediaType, platforms, referrers: [] };
    this.#images.set(name, { image, parts: reading.parts });
  }

  plan(): ImagePlan {
    const blobs = [...this.#blobs.values()].sort((a, b) => comparePaths(a.digest, b.digest));
    const numbers = new Map(blobs.map(({ digest }, i) => [digest, i]));
    const numbersOf = (parts: Set<Digest>) =>
      [...parts].flatMap((part) => numbers.get(part) ?? []).sort((a, b) => a - b);
    const images = [...this.#images.values()]
      .sort((a, b) => comparePaths(a.image.name, b.image.name))
      .map(({ image, parts }): CarriedImage => ({ ...image, blobs: numbersOf(parts) }));
    return {
      document: {
        schemaVersion: 1,
        images,
        blobs: blobs.map(({ digest, size }) => ({ digest, size })),
      },
      blobs,
      created: this.#newest,
    };
  }

  /** A tag is asked for with HEAD, which Docker Hub does not count against its rate limit. */
  async #resolve({ tag, digest }: ImageReference, from: Repository): Promise<Digest> {
    if (tag === undefined) {
      if (digest !== undefined) return digest;
      throw new ContentFault("it has neither tag nor digest");
    }
    const found = await this.#lanes.run(() => from.tagDigest(tag));
    if (found === undefined) throw missing("it");
    if (digest === undefined || digest === found) return found;
    throw new ContentFault(`the tag now refers to ${found}`, "digest_mismatch");
  }

  async #walk(
    reading: Reading,
    part: Partial<Part> & Pick<Part, "digest">,
    depth: number,
  ): Promise<Content> {
    const { digest } = part;
    if (depth > maxDepth) {
      throw new ContentFault(`its indexes are nested more than ${maxDepth} deep`);
    }
    const content = await this.#content(reading, part);
    if (reading.parts.has(digest)) return content;
    reading.parts.add(digest);
    const { manifest: { manifests, blobs, config } } = content;
    await allOf(manifests.map((child) => this.#walk(reading, child, depth + 1)));
    for (const blob of blobs) {
      this.#claim(reading, blob, { isManifest: false });
      reading.parts.add(blob.digest);
    }
    const { platform } = config === undefined ? {} : await this.#config(reading, config);
    const named = part.platform ?? platform;
    if (named !== undefined) reading.platforms.add(named);
    return content;
  }

  /** A manifest is read once, however many images have it. */
  async #content(reading: Reading, part: Partial<Part> & Pick<Part, "digest">): Promise<Content> {
    const { digest, size, mediaType } = part;
    if (size !== undefined && size > maxManifestBytes) {
      throw new ContentFault(`the manifest ${digest} has ${size} bytes, more than 4 MiB`);
    }
    const content = await this.#contents.getOrInsertComputed(
      digest,
      () => this.#lanes.run(() => this.#read(reading, digest, mediaType)),
    );
    if (size !== undefined && size !== content.size) {
      throw new ContentFault(`${digest} has ${content.size} bytes, but is declared with ${size}`);
    }
    if (mediaType !== undefined && mediaType !== content.manifest.mediaType) {
      throw new ContentFault(`${digest} is declared with two media types`);
    }
    return content;
  }

  async #read(reading: Reading, digest: Digest, declared: string | undefined): Promise<Content> {
    const stored = await reading.from.fetch(digest, manifestTypes);
    if (stored === undefined) throw missing(digest);
    const { bytes } = stored;
    const own = objectIn(bytes)?.["mediaType"];
    const served = manifestTypes.includes(stored.mediaType) ? stored.mediaType : undefined;
    const mediaType = declared ?? served ?? (typeof own === "string" ? own : stored.mediaType);
    const manifest = readManifest(bytes, mediaType);
    const size = bytes.length;
    this.#claim(reading, { digest, size }, { isManifest: true, ...this.#keeping(bytes) });
    this.#seen(manifest.created);
    return { manifest, size };
  }

  async #config(reading: Reading, config: Part): Promise<Partial<Config>> {
    const { digest, mediaType, size } = config;
    if (!configTypes.includes(mediaType) || size > maxManifestBytes) return {};
    return await this.#configs.getOrInsertComputed(
      digest,
      () => this.#lanes.run(() => this.#readConfig(reading, config)),
    );
  }

  async #readConfig(reading: Reading, config: Part): Promise<Config> {
    const { digest, size } = config;
    const bytes = await readBlob(reading.from, config);
    const value = objectIn(bytes);
    if (value === undefined) throw new ContentFault(`its config ${digest} is not a JSON object`);
    this.#claim(reading, { digest, size }, { isManifest: false, ...this.#keeping(bytes) });
    this.#seen(value["created"]);
    return { platform: platformIn(value) };
  }

  /** Records a blob, which other images may have too. */
  #claim(
    reading: Reading,
    { digest, size }: Pick<Part, "digest" | "size">,
    more: Pick<ImageBlob, "isManifest" | "bytes">,
  ): void {
    const known = this.#blobs.get(digest);
    if (known !== undefined && known.size !== size) {
      throw new ContentFault(`${digest} is declared with ${known.size} and with ${size} bytes`);
    }
    if (known !== undefined && more.bytes === undefined) return;
    if (known === undefined && this.#blobs.size === maxBlobs) {
      throw new ContentFault(`the images have more than ${maxBlobs} blobs`);
    }
    const isManifest = known?.isManifest === true || more.isManifest;
    const blob = { digest, size, from: reading.from, image: reading.name, ...more, isManifest };
    this.#blobs.set(digest, blob);
  }

  #keeping(bytes: Uint8Array): { bytes?: Uint8Array } {
    if (this.#kept + bytes.length > maxKept) return {};
    this.#kept += bytes.length;
    return { bytes };
  }

  /** Times that no bundle can have are passed over: whoever built the image may write anything. */
  #seen(created: unknown): void {
    if (typeof created !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(created)) return;
    const seconds = Math.floor(Date.parse(created) / 1000);
    if (seconds > this.#newest && seconds <= latestCreated) this.#newest = seconds;
  }
}

function missing(what: string): ContentFault {
  return new ContentFault(`the registry does not have ${what}`, "image_missing");
}

/** @throws ContentFault, RemoteError */
async function readBlob(from: Repository, blob: Part): Promise<Uint8Array> {
  const { digest, size } = blob;
  const reader = await openBlobReader(from, blob);
  if (reader === undefined) throw missing(digest);
  try {
    const bytes = new Uint8Array(size);
    if (reader.size !== size || await reader.read(bytes) !== size) {
      throw new ContentFault(`${digest} has ${reader.size} bytes, but is declared with ${size}`);
    }
    if (`sha256:${sha256(bytes)}` === digest) return bytes;
    throw new ContentFault(`the registry returned other content for ${digest}`);
  } finally {
    reader.close();
  }
}
