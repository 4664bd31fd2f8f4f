/**
 * The images of an OCI image layout, each with everything that it consists of: indexes, manifests,
 * configurations, layers, and the signatures, SBOMs and attestations that refer to them.
 */
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import { type Digest, sha256 } from "../domain/hash.ts";
import { objectIn } from "../domain/json.ts";
import { shown } from "../domain/names.ts";
import { parseReference } from "../domain/reference.ts";
import { type Descriptor, manifestTypes } from "../registry/artifact.ts";
import { descriptorsAt } from "../registry/layers.ts";
import { type ManifestContent, maxManifestBytes, readContent } from "./content.ts";
import {
  blobPath,
  type ImagesDocument,
  layoutIndexName,
  layoutName,
  maxImagesBytes,
} from "./layout.ts";

/** An image by the name that it has at its source. */
export interface NamedImage {
  /** `HOST[:PORT]/REPOSITORY:TAG`, or with a digest in place of the tag. */
  name: string;
  /** `HOST[:PORT]`. */
  registry: string;
  repository: string;
  tag?: string | undefined;
  top: Descriptor;
  /** For a tag such as `sha256-HEX.sig`: the manifest that it belongs to. */
  attachedTo?: Digest | undefined;
}

export interface ManifestNode extends ManifestContent {
  descriptor: Descriptor;
}

/** All that has to be in a registry before a tag may refer to an image. */
export interface Closure {
  /** Of the image itself: children before their index. */
  own: readonly ManifestNode[];
  /** Of each referrer, which is the last: signatures of signatures come after those. */
  attached: readonly (readonly ManifestNode[])[];
  /** Manifests that cannot be read. */
  faults: readonly Finding[];
}

export interface ImageSet {
  images: readonly NamedImage[];
  /** Manifests in the layout that no name leads to. */
  unnamed: readonly Digest[];
  closureOf(image: NamedImage): Closure;
}

interface Listed {
  descriptor: Descriptor;
  name: string | undefined;
}

/** Nesting of indexes, and of referrers of referrers. */
const maxDepth = 4;
const attachedTag = /^sha256-([0-9a-f]{64})(?:\.[a-z]+)?$/;

/** @param document images.json, which spares reading `index.json` @throws StellaError */
export async function readImageSet(
  payload: BundleSource,
  document: ImagesDocument | undefined,
): Promise<ImageSet> {
  const listed = document === undefined ? await listedByLayout(payload) : listedBy(document);
  const walk = new Walk(payload);
  for (const { descriptor } of listed) await walk.visit(descriptor, 1);
  return walk.result(listed);
}

function listedBy({ images, blobs }: ImagesDocument): Listed[] {
  const sizes = new Map(blobs.map(({ digest, size }) => [digest, size]));
  const of = (digest: Digest, mediaType: string, name?: string): Listed => ({
    descriptor: { mediaType, digest, size: sizes.get(digest) ?? 0 },
    name,
  });
  return images.flatMap(({ name, registry, repository, digest, mediaType, referrers }) => [
    of(digest, mediaType, name),
    ...referrers.map((one) => {
      const tagged = one.tag === undefined ? undefined : `${registry}/${repository}:${one.tag}`;
      return of(one.digest, one.mediaType, tagged);
    }),
  ]);
}

async function listedByLayout(payload: BundleSource): Promise<Listed[]> {
  const layout = await readSmall(payload, layoutName, maxManifestBytes, "images_invalid");
  if (layout === undefined) throw invalid(`its payload has no ${layoutName}`);
  const version = objectIn(layout)?.["imageLayoutVersion"];
  if (version !== "1.0.0") throw invalid("its OCI image layout has another version than 1.0.0");
  const index = await readSmall(payload, layoutIndexName, maxImagesBytes, "images_invalid");
  const object = index && objectIn(index);
  const descriptors = object && descriptorsAt(object, "manifests");
  if (descriptors === undefined) throw invalid(`its ${layoutIndexName} is not a list of manifests`);
  return descriptors.map((descriptor) => ({ descriptor, name: nameIn(descriptor) }));
}

function nameIn({ annotations = {} }: Descriptor): string | undefined {
  return annotations["io.containerd.image.name"] ??
    annotations["org.opencontainers.image.ref.name"];
}

function invalid(found: string): StellaError {
  return new StellaError("images_invalid", `Cannot read the images of the bundle: ${found}`, {
    hint: "name a bundle of images: its payload has to be an OCI image layout",
  });
}

/** Reads manifests once, whatever refers to them. */
class Walk {
  readonly #nodes = new Map<Digest, ManifestNode>();
  readonly #faults = new Map<Digest, Finding>();
  readonly #referrers = new Map<Digest, ManifestNode[]>();

  constructor(readonly payload: BundleSource) {}

  async visit(descriptor: Descriptor, depth: number): Promise<void> {
    const { digest, mediaType } = descriptor;
    if (this.#nodes.has(digest) || this.#faults.has(digest)) return;
    if (!manifestTypes.includes(mediaType)) throw unknownType(descriptor);
    if (depth > maxDepth) throw invalid(`its indexes are nested more than ${maxDepth} deep`);
    let content: ManifestContent;
    try {
      content = readContent(await readManifest(this.payload, descriptor), digest, mediaType);
    } catch (error) {
      const isFault = error instanceof StellaError && error.kind !== "defect";
      if (!isFault || error.kind === "manifest") throw error;
      return void this.#faults.set(digest, faultOf(error, digest));
    }
    const node = { ...content, descriptor };
    this.#nodes.set(digest, node);
    if (node.subject !== undefined) {
      const others = this.#referrers.get(node.subject);
      if (others === undefined) this.#referrers.set(node.subject, [node]);
      else others.push(node);
    }
    for (const child of content.children) await this.visit(child, depth + 1);
  }

  result(listed: readonly Listed[]): ImageSet {
    const images = new Map<string, NamedImage>();
    for (const { descriptor, name } of listed) {
      const image = name === undefined ? undefined : imageNamed(name, descriptor);
      if (image === undefined) continue;
      const other = images.get(image.name);
      if (other !== undefined && other.top.digest !== descriptor.digest) {
        throw invalid(`it has two images named ${shown(image.name)}`);
      }
      images.set(image.name, image);
    }
    const named = [...images.values()].filter((image) => !this.#isReferrerList(image));
    const closures = new Map(named.map((image) => [image.name, this.#closure(image.top.digest)]));
    const reached = new Set([...closures.values()].flatMap(digestsOf));
    const tops = [...new Set(listed.map(({ descriptor }) => descriptor.digest))];
    return {
      images: named,
      unnamed: tops.filter((digest) => this.#nodes.has(digest) && !reached.has(digest)),
      closureOf: (image) => closures.get(image.name) ?? this.#closure(image.top.digest),
    };
  }

  /** Its tag is written anew at the target, where the registry itself lists no referrers. */
  #isReferrerList({ attachedTo, top }: NamedImage): boolean {
    const node = this.#nodes.get(top.digest);
    return attachedTo !== undefined && node !== undefined && node.children.length > 0 &&
      node.children.every(({ digest }) => this.#nodes.get(digest)?.subject === attachedTo);
  }

  #closure(top: Digest): Closure {
    const seen = new Set<Digest>();
    const faults = new Map<Digest, Finding>();
    const attached: ManifestNode[][] = [];
    /** A manifest after all that it lists. */
    const treeOf = (digest: Digest): ManifestNode[] => {
      if (seen.has(digest)) return [];
      seen.add(digest);
      const node = this.#nodes.get(digest);
      const fault = this.#faults.get(digest);
      if (fault !== undefined) faults.set(digest, fault);
      return node === undefined
        ? []
        : [...node.children.flatMap((one) => treeOf(one.digest)), node];
    };
    const attach = (nodes: readonly ManifestNode[], level: number) => {
      if (level > maxDepth) return;
      for (const { descriptor } of nodes) {
        for (const referrer of this.#referrers.get(descriptor.digest) ?? []) {
          const tree = treeOf(referrer.descriptor.digest);
          if (tree.length === 0) continue;
          attached.push(tree);
          attach(tree, level + 1);
        }
      }
    };
    const own = treeOf(top);
    attach(own, 1);
    return { own, attached, faults: [...faults.values()] };
  }
}

function digestsOf({ own, attached }: Closure): Digest[] {
  return [own, ...attached].flat().map(({ descriptor }) => descriptor.digest);
}

/** The images that are wanted, and the signatures of them that have tags of their own. */
export function selectImages(
  { images, closureOf }: Pick<ImageSet, "images" | "closureOf">,
  isWanted: (name: string) => boolean,
): NamedImage[] {
  const wanted = new Set(images.filter(({ name }) => isWanted(name)));
  const carried = new Set(
    [...wanted].flatMap((image) => digestsOf(closureOf(image)).map((one) => keyOf(image, one))),
  );
  return images.filter((image) =>
    wanted.has(image) ||
    (image.attachedTo !== undefined && carried.has(keyOf(image, image.attachedTo)))
  );
}

function keyOf({ registry, repository }: NamedImage, digest: Digest): string {
  return `${registry}/${repository}@${digest}`;
}

function imageNamed(name: string, top: Descriptor): NamedImage | undefined {
  try {
    const { authority, repository, tag } = parseReference(`oci://${withoutPin(name)}`);
    const subject = attachedTag.exec(tag ?? "")?.[1];
    const attachedTo = subject === undefined ? undefined : `sha256:${subject}` as const;
    return { name, registry: authority, repository, tag, top, attachedTo };
  } catch (error) {
    if (error instanceof StellaError && error.kind === "usage") return undefined;
    throw error;
  }
}

/** Of `NAME:TAG@DIGEST` the tag counts: the digest is that of the descriptor. */
function withoutPin(name: string): string {
  return name.replace(/^([^@]+:[^/@]+)@sha256:[0-9a-f]{64}$/, "$1");
}

function unknownType({ digest, mediaType }: Descriptor): StellaError {
  return invalid(`${digest} has the media type ${shown(mediaType)}, which is no manifest`);
}

/** The exact bytes of a manifest. @throws StellaError missing, differs */
export async function readManifest(
  payload: BundleSource,
  { digest, size }: Descriptor,
): Promise<Uint8Array> {
  const path = blobPath(digest);
  const bytes = await readSmall(payload, path, maxManifestBytes, "images_invalid");
  if (bytes === undefined) {
    throw new StellaError("file_missing", `Cannot read ${shown(path)}: not in the bundle`);
  }
  if (bytes.length !== size) {
    const found = `it has ${bytes.length} bytes, not ${size}`;
    throw new StellaError("size_differs", `Cannot use ${shown(path)}: ${found}`);
  }
  const found = sha256(bytes);
  if (`sha256:${found}` === digest) return bytes;
  throw new StellaError("digest_mismatch", `Cannot use ${shown(path)}: its sha256 is ${found}`);
}

/** What is wrong with a file of the payload. */
export function faultOf(error: StellaError, digest: Digest): Finding {
  return finding(error.reason, {
    path: blobPath(digest),
    found: error.message,
    hint: error.hint ?? "copy the bundle again from an intact copy",
  });
}
