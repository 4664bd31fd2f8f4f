/**
 * Reads a bundle from a registry for verification: nothing is stored on disk and each byte is read
 * once. The registry's metadata only serves to find bytes.
 */
import { attestationName, hmacName, manifestName } from "../bundle/manifest.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { type BundleSource, type ByteReader, memoryReader, readSmall } from "../bundle/source.ts";
import { shown } from "../domain/names.ts";
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import { bundleArtifact, type Descriptor, digestOf, ociTypes, type Proof } from "./artifact.ts";
import type { Digest } from "../domain/hash.ts";
import { openBlobReader } from "./blob_reader.ts";
import type { RegistryClient } from "./client.ts";
import { proofsOf } from "./referrers.ts";
import { type Layers, readLayers } from "./layers.ts";
import type { Reference } from "../domain/reference.ts";
import { Repository } from "./repository.ts";

/** Chooses one of several signatures of a kind. @returns its index in `candidates` */
export type Choice = (
  candidates: readonly Uint8Array[],
  manifest: Uint8Array,
  proof: Proof,
) => number;

export class RegistryBundle implements BundleSource {
  readonly #repository: Repository;
  #found: { digest: Digest; layers: Layers } | undefined;

  /** Makes no connection yet. @throws StellaError usage for a reference without tag and differs */
  constructor(
    client: RegistryClient,
    readonly reference: Reference,
    readonly choose: Choice,
    signal?: AbortSignal,
  ) {
    if (reference.tag === undefined && reference.digest === undefined) {
      const name = `oci://${reference.authority}/${reference.repository}`;
      const text = `Cannot read ${shown(name)}: it has no tag and no digest`;
      throw new StellaError("reference_invalid", text, {
        hint: "write oci://HOST[:PORT]/REPOSITORY:TAG, or REPOSITORY@sha256:...",
      });
    }
    this.#repository = new Repository(client, reference.repository, { access: "pull", signal });
  }

  get name(): string {
    const { authority, repository, tag, digest } = this.reference;
    return `oci://${authority}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`;
  }

  /** @throws StellaError manifest if no bundle is there; RemoteError */
  async open(path: string): Promise<ByteReader | undefined> {
    const { layers } = await this.#resolve();
    if (path === attestationName) return await this.#openProof("attestation");
    if (path === hmacName) return await this.#openProof("hmac");
    const layer = layers.get(path);
    return layer && await openBlobReader(this.#repository, layer);
  }

  /** The digest of the tag; resolved once, so that moving the tag meanwhile changes nothing. */
  async digest(): Promise<Digest> {
    return (await this.#resolve()).digest;
  }

  /**
   * Checks the registry's own manifest after the bundle was verified: it must be byte for byte the
   * one that belongs to the bundle, because its digest is signed as well.
   */
  async check(): Promise<Finding | undefined> {
    const bytes = await readSmall(this, manifestName, maxManifestBytes) ?? new Uint8Array();
    const expected = bundleArtifact(readManifest(bytes), bytes).digest;
    const found = await this.digest();
    if (found === expected) return undefined;
    return finding("registry_manifest_differs", {
      path: this.name,
      found,
      expected,
      hint: "push the bundle again: its files are intact, but the registry's manifest is another",
    });
  }

  async #resolve() {
    return this.#found ??= await this.#find();
  }

  async #find() {
    const { tag, digest } = this.reference;
    const stored = await this.#repository.fetch(digest ?? tag!, [ociTypes.manifest]);
    if (stored === undefined) {
      throw new StellaError("bundle_missing", `Cannot read ${shown(this.name)}: not found`, {
        hint: "check repository and tag; a push sets the tag last",
      });
    }
    return { digest: digestOf(stored.bytes), layers: readLayers(stored, this.name) };
  }

  async #openProof(proof: Proof): Promise<ByteReader | undefined> {
    const { digest, layers } = await this.#resolve();
    const candidates = await proofsOf(this.#repository, digest, proof);
    let chosen = 0;
    if (candidates.length > 1) {
      const manifest = await readLayer(this.#repository, layers.get(manifestName));
      chosen = this.choose(candidates, manifest, proof);
    }
    const bytes = candidates[chosen];
    return bytes && memoryReader(bytes);
  }
}

async function readLayer(repository: Repository, layer: Descriptor | undefined) {
  const reader = layer && await openBlobReader(repository, layer);
  if (reader === undefined) return new Uint8Array();
  const open = () => reader;
  return await readSmall({ name: "", open }, manifestName, maxManifestBytes) ?? new Uint8Array();
}
