/**
 * Loads the images of a bundle into a registry. Only what it lacks is read and sent; manifests
 * follow when all of their content is there, and tags come last, so that a tag never refers to an
 * image that cannot be pulled.
 */
import type { BundleSource } from "../bundle/source.ts";
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import type { Digest } from "../domain/hash.ts";
import { RemoteError } from "../net/failure.ts";
import type { Descriptor } from "../registry/artifact.ts";
import { counted, fileBlob } from "../registry/blob.ts";
import type { RegistryClient } from "../registry/client.ts";
import { announce } from "../registry/referrers.ts";
import { Repository } from "../registry/repository.ts";
import { isForeign } from "./content.ts";
import {
  type Closure,
  faultOf,
  type ImageSet,
  type ManifestNode,
  type NamedImage,
  readManifest,
} from "./image_set.ts";
import { BlobNeeds, type MissingBlob } from "./blob_needs.ts";
import { eachOf } from "./each_of.ts";
import { blobPath } from "./layout.ts";
import { sourceOf } from "./mapping.ts";

export interface LoadOptions {
  client: RegistryClient;
  /** The payload by path. */
  payload: BundleSource;
  set: ImageSet;
  /** The images to load, and where: see mapRepositories. */
  images: readonly NamedImage[];
  repositories: ReadonlyMap<string, string>;
  /** Asks for everything and sends nothing. */
  dryRun: boolean;
  /** Sets the tags of complete images even if others are not. */
  partial: boolean;
  /** Asks for the content of images that are there too. */
  recheck: boolean;
  /** Bytes sent, of those to send. */
  progress: (done: number, total: number) => void;
  signal: AbortSignal;
}

/** `new`: of a dry run. `pending`: complete, but without its tag, because others are not. */
export type LoadResult = "loaded" | "unchanged" | "new" | "incomplete" | "pending" | "refused";

export interface LoadedImage {
  name: string;
  digest: Digest;
  /** `REPOSITORY:TAG` or `REPOSITORY@DIGEST` at the registry. */
  target: string;
  result: LoadResult;
  /** Signatures, SBOMs and attestations that came with it. */
  referrers: number;
}

export interface LoadReport {
  images: LoadedImage[];
  blobs: { sent: number; mounted: number; existed: number };
  /** Manifests and indexes that were sent. */
  manifests: number;
  /** Sent, or to be sent by a dry run. */
  bytes: number;
  findings: Finding[];
}

/** Requests that carry no content. */
const questions = 16;
/** Blobs that are sent at a time. */
const lanes = 3;
const imageLanes = 4;

interface Task {
  image: NamedImage;
  repository: string;
  closure: Closure;
  /** What the registry may lack: all of an image that is new, else referrers that are. */
  nodes: readonly ManifestNode[];
  hasSent: boolean;
  result: LoadResult | undefined;
}

/** @throws StellaError remote if the registry fails; what was sent stays, and is found again */
export function loadImages(options: LoadOptions): Promise<LoadReport> {
  return new Load(options).run();
}

class Load {
  readonly #tasks: Task[];
  readonly #needs = new BlobNeeds();
  /** What cannot be read or is not taken, by digest. */
  readonly #faults = new Map<string, Finding>();
  /** Of single images. */
  readonly #refusals: Finding[] = [];
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #report: LoadReport = {
    images: [],
    blobs: { sent: 0, mounted: 0, existed: 0 },
    manifests: 0,
    bytes: 0,
    findings: [],
  };
  /** Manifests that were put or found, by repository. */
  readonly #placed = new Map<string, Promise<void>>();

  constructor(readonly options: LoadOptions) {
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#tasks = options.images.map((image) => ({
      image,
      repository: options.repositories.get(sourceOf(image)) ?? "",
      closure: options.set.closureOf(image),
      nodes: [],
      hasSent: false,
      result: undefined,
    }));
  }

  async run(): Promise<LoadReport> {
    await this.#each(this.#tasks, questions, (task) => this.#lookAt(task));
    await this.#each(this.#needs.questions(), questions, (one) => this.#lookForBlob(one));
    const missing = await this.#missing();
    if (this.options.dryRun) return await this.#plan(missing);
    await this.#sendBlobs(missing);
    const complete = this.#tasks.filter((task) => this.#isComplete(task));
    await this.#each(complete, imageLanes, (task) => this.#sendManifests(task));
    await this.#setTags();
    return this.#finished();
  }

  #each<T>(items: readonly T[], count: number, work: (item: T) => Promise<void>): Promise<void> {
    return eachOf(items, count, this.#abort, work);
  }

  #repository(name: string, mountFrom: readonly string[] = []): Repository {
    return new Repository(this.options.client, name, { mountFrom, signal: this.#signal });
  }

  /** Finds out what the registry may lack. An image that is there may have got referrers since. */
  async #lookAt(task: Task): Promise<void> {
    const { repository: name, image, closure: { own, attached, faults } } = task;
    const repository = this.#repository(name);
    const isThere = await repository.hasManifest(image.top);
    const isWanted = !isThere || this.options.recheck;
    const nodes = isWanted ? [...own] : [];
    if (isThere) { for (const blob of blobsOf(own)) this.#needs.found(blob.digest, name); }
    for (const tree of attached) {
      const referrer = tree.at(-1);
      const isNew = isWanted || referrer === undefined ||
        !await repository.hasManifest(referrer.descriptor);
      if (isNew) nodes.push(...tree);
    }
    for (const blob of blobsOf(nodes)) this.#needs.add(blob, name);
    task.nodes = nodes;
    if (!isWanted || faults.length === 0) return;
    task.result = "incomplete";
    for (const fault of faults) this.#faults.set(fault.path ?? "", fault);
  }

  async #lookForBlob({ blob, repository }: { blob: Descriptor; repository: string }) {
    const isKnown = this.#needs.holders(blob.digest).includes(repository);
    if (isKnown && !this.options.recheck) return void this.#report.blobs.existed++;
    if (await this.#repository(repository).hasBlob(blob)) {
      this.#needs.found(blob.digest, repository);
      this.#report.blobs.existed++;
    } else this.#needs.lost(blob.digest, repository);
  }

  /** Without the layers that need not be there and are not in the bundle. */
  async #missing(): Promise<MissingBlob[]> {
    const missing = this.#needs.missing();
    const left = missing.filter(({ blob }) => isForeign(blob)).map(({ blob }) => blob);
    const absent = new Set<Digest>();
    for (const blob of left) {
      if (await this.#fault(blob) !== undefined) absent.add(blob.digest);
    }
    return missing.filter(({ blob }) => !absent.has(blob.digest));
  }

  async #plan(missing: readonly MissingBlob[]): Promise<LoadReport> {
    for (const { blob, repositories } of missing) {
      const fault = await this.#fault(blob);
      if (fault !== undefined) {
        this.#faults.set(blob.digest, fault);
        continue;
      }
      const isHeld = this.#needs.holders(blob.digest).length > 0;
      if (!isHeld) this.#report.bytes += blob.size;
      if (!isHeld) this.#report.blobs.sent++;
      this.#report.blobs.mounted += repositories.length - (isHeld ? 0 : 1);
    }
    await this.#each(this.#tasks, questions, async (task) => {
      if (!this.#isComplete(task)) return;
      const isTagged = task.nodes.length === 0 && await this.#isTagged(task);
      task.result = isTagged ? "unchanged" : "new";
    });
    return this.#finished();
  }

  /** Why a blob cannot be read from the bundle; its content is not read. */
  async #fault(blob: Descriptor): Promise<Finding | undefined> {
    try {
      await this.#check(blob);
      return undefined;
    } catch (error) {
      return mediumFault(error, blob.digest);
    }
  }

  async #check({ digest, size }: Descriptor): Promise<void> {
    const path = blobPath(digest);
    const reader = await this.options.payload.open(path);
    reader?.close();
    if (reader === undefined) {
      throw new StellaError("file_missing", "it is neither in the bundle nor in the registry");
    }
    if (reader.size === size) return;
    throw new StellaError("size_differs", `it has ${reader.size} bytes, not ${size}`);
  }

  /** In the order of the archive, which a stick reads fastest. */
  async #sendBlobs(missing: readonly MissingBlob[]): Promise<void> {
    const total = missing.reduce((sum, { blob }) => sum + blob.size, 0);
    let done = 0;
    await this.#each(missing, lanes, async ({ blob, repositories }) => {
      let sent = 0;
      const move = (to: number) => {
        done += to - sent;
        sent = to;
        this.options.progress(done, total);
      };
      try {
        await this.#sendBlob(blob, repositories, move);
      } catch (error) {
        this.#faults.set(blob.digest, this.#blobFault(error, blob.digest));
      }
      move(blob.size);
    });
  }

  /** To the first repository that lacks it; the others mount it. */
  async #sendBlob(
    blob: Descriptor,
    repositories: readonly string[],
    move: (sent: number) => void,
  ): Promise<void> {
    const { digest, size } = blob;
    const path = blobPath(digest);
    const file = { path, role: "document", size, sha256: digest.slice(7) } as const;
    for (const name of repositories) {
      const holders = this.#needs.holders(digest).slice(0, 1);
      // An upload that has begun would stay in the registry for days.
      if (holders.length === 0) await this.#check(blob);
      const repository = this.#repository(name, holders);
      const isSent = await repository.pushBlob(
        counted(fileBlob(this.options.payload, file), move),
        true,
      );
      this.#needs.found(digest, name);
      if (isSent) this.#report.bytes += size;
      this.#report.blobs[isSent ? "sent" : "mounted"]++;
    }
  }

  /** @throws the error unless it concerns this blob alone */
  #blobFault(error: unknown, digest: Digest): Finding {
    if (!this.options.partial || !isRefusal(error)) return mediumFault(error, digest);
    return faultOf(error, digest);
  }

  #isComplete({ nodes, result }: Task): boolean {
    return result !== "incomplete" &&
      blobsOf(nodes).every(({ digest }) => !this.#faults.has(digest));
  }

  async #sendManifests(task: Task): Promise<void> {
    const { nodes, closure, repository: name } = task;
    try {
      for (const node of nodes) if (await this.#place(node, name)) task.hasSent = true;
      const repository = this.#repository(name);
      const referrers = closure.attached.flatMap((tree) => tree.at(-1) ?? []);
      for (const [subject, some] of Map.groupBy(referrers, ({ subject }) => subject)) {
        if (subject !== undefined) await announce(repository, subject, ...some.map(asReferrer));
      }
      task.result = "pending";
    } catch (error) {
      if (!this.options.partial || !isRefusal(error)) throw error;
      this.#refuse(task, error);
    }
  }

  /** Puts a manifest by its digest, unless it is there. @returns whether it was sent now */
  async #place(node: ManifestNode, name: string): Promise<boolean> {
    const key = `${name}@${node.descriptor.digest}`;
    let isSent = false;
    const place = async () => {
      const repository = this.#repository(name);
      if (await repository.hasManifest(node.descriptor)) return;
      const artifact = await this.#artifact(node);
      await repository.putManifest(artifact.digest, artifact);
      isSent = true;
      this.#report.manifests++;
    };
    const placed = this.#placed.get(key) ?? place();
    this.#placed.set(key, placed);
    await placed;
    return isSent;
  }

  async #artifact({ descriptor }: ManifestNode) {
    const { digest, mediaType } = descriptor;
    return { bytes: await readManifest(this.options.payload, descriptor), digest, mediaType };
  }

  /** Signatures under a tag of their own come before the images that they belong to. */
  async #setTags(): Promise<void> {
    const ready = this.#tasks.filter(({ result }) => result === "pending");
    if (ready.length < this.#tasks.length && !this.options.partial) return;
    const isAttached = ({ image }: Task) => image.attachedTo !== undefined;
    for (const which of [true, false]) {
      const tasks = ready.filter((task) => isAttached(task) === which);
      await this.#each(tasks, imageLanes, (task) => this.#setTag(task));
    }
  }

  /** A tag that is right is not put again: registries may forbid it. */
  async #setTag(task: Task): Promise<void> {
    const { image: { tag, top }, repository: name, closure } = task;
    const repository = this.#repository(name);
    const found = tag === undefined ? top.digest : await repository.tagDigest(tag);
    const node = closure.own.at(-1);
    if (tag === undefined || node === undefined || found === top.digest) {
      task.result = task.hasSent ? "loaded" : "unchanged";
      return;
    }
    try {
      await repository.putManifest(tag, await this.#artifact(node));
      task.result = "loaded";
    } catch (error) {
      // Only a tag that exists can be protected against being changed.
      if (!isRefusal(error) || (found === undefined && !this.options.partial)) throw error;
      this.#refuse(task, error, found);
    }
  }

  #refuse(task: Task, error: RemoteError, found?: Digest): void {
    task.result = "refused";
    const exists = found === undefined ? "" : `the tag refers to ${found}; `;
    this.#refusals.push(finding(error.reason, {
      path: targetOf(task),
      found: exists + error.message,
      expected: task.image.top.digest,
      hint: error.hint ??
        "see the rules of the registry, or use another name for this image with --map",
    }));
  }

  async #isTagged({ image: { tag, top }, repository }: Task): Promise<boolean> {
    return tag === undefined || await this.#repository(repository).tagDigest(tag) === top.digest;
  }

  #finished(): LoadReport {
    const report = this.#report;
    report.findings = [...this.#faults.values(), ...this.#refusals];
    report.images = this.#tasks.map((task) => ({
      name: task.image.name,
      digest: task.image.top.digest,
      target: targetOf(task),
      result: task.result ?? "incomplete",
      referrers: task.closure.attached.length,
    }));
    return report;
  }
}

function blobsOf(nodes: readonly ManifestNode[]): Descriptor[] {
  return nodes.flatMap(({ blobs }) => blobs);
}

function targetOf({ image: { tag, top }, repository }: Task): string {
  return tag === undefined ? `${repository}@${top.digest}` : `${repository}:${tag}`;
}

/** The registry does not want this, and may want something else. */
function isRefusal(error: unknown): error is RemoteError {
  if (!(error instanceof RemoteError)) return false;
  const { status = 0 } = error;
  return status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status);
}

/** @throws the error itself unless the bundle or its medium is to blame */
function mediumFault(error: unknown, digest: Digest): Finding {
  const isOurs = error instanceof StellaError && !(error instanceof RemoteError);
  if (isOurs && (mediumKinds.includes(error.kind) || mediumReasons.includes(error.reason))) {
    return faultOf(error, digest);
  }
  throw error;
}

const mediumKinds: readonly string[] = ["missing", "differs", "truncated", "unexpected", "unsafe"];
const mediumReasons: readonly string[] = ["medium_failed", "size_changed"];

/** As the tag of a subject lists it, where the registry has no list of its own. */
function asReferrer({ descriptor, artifactType, annotations }: ManifestNode): Descriptor {
  const { mediaType, digest, size } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
