/** Small images, made by tests and put into a registry on this machine by plain requests. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { encodeHeader, paddingOf } from "../../../src/bundle/tar_header.ts";
import { type Digest, sha256 } from "../../../src/domain/hash.ts";

export const types = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

export interface Made {
  mediaType: string;
  digest: Digest;
  size: number;
}

export interface MadeImage extends Made {
  /** Digests of its config and layers. */
  blobs: Digest[];
}

/** A repository, `HOST/NAME`. */
export interface Place {
  host: string;
  name: string;
}

export async function putBlob({ host, name }: Place, bytes: Uint8Array, mediaType: string) {
  const digest: Digest = `sha256:${sha256(bytes)}`;
  const begun = await fetch(`http://${host}/v2/${name}/blobs/uploads/`, { method: "POST" });
  await begun.body?.cancel();
  const url = new URL(begun.headers.get("location") ?? "", `http://${host}`);
  url.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  const put = await fetch(url, { method: "PUT", headers, body: new Uint8Array(bytes) });
  assert.equal(put.status, 201, await put.text());
  return { mediaType, digest, size: bytes.length };
}

/** @param tag none: it is stored under its digest alone */
export async function putManifest(
  { host, name }: Place,
  value: object,
  mediaType: string,
  tag?: string,
): Promise<Made> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const digest: Digest = `sha256:${sha256(bytes)}`;
  const headers = { "content-type": mediaType };
  const url = `http://${host}/v2/${name}/manifests/${tag ?? digest}`;
  const put = await fetch(url, { method: "PUT", headers, body: bytes });
  assert.equal(put.status, 201, await put.text());
  return { mediaType, digest, size: bytes.length };
}

/** A layer with one file. */
export function layerOf(path: string, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content);
  const header = encodeHeader({ path, size: bytes.length, mode: 0o755, mtime: 1_700_000_000 });
  return Buffer.concat([header, bytes, Buffer.alloc(paddingOf(bytes.length) + 1024)]);
}

export interface ImageOptions {
  tag?: string;
  architecture?: string;
  variant?: string;
  created?: string;
  layers?: readonly Uint8Array[];
  docker?: boolean;
}

export async function putImage(
  place: Place,
  { tag, architecture = "amd64", variant, created, layers, docker = false }: ImageOptions = {},
): Promise<MadeImage> {
  const tars = layers ?? [layerOf("app", `${place.name} ${architecture}`)];
  const config = {
    ...(created === undefined ? {} : { created }),
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os: "linux",
    config: { Cmd: ["/app"] },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) },
  };
  const text = new TextEncoder().encode(JSON.stringify(config));
  const stored = [await putBlob(place, text, docker ? types.dockerConfig : types.config)];
  for (const tar of tars) {
    const layer = docker ? types.dockerLayer : types.layer;
    stored.push(await putBlob(place, gzipSync(tar), layer));
  }
  const [first, ...others] = stored;
  const mediaType = docker ? types.dockerManifest : types.manifest;
  const manifest = { schemaVersion: 2, mediaType, config: first, layers: others };
  const made = await putManifest(place, manifest, mediaType, tag);
  return { ...made, blobs: stored.map(({ digest }) => digest) };
}

export interface MadeIndex extends Made {
  children: MadeImage[];
}

/** An index of images for these platforms, `OS/ARCHITECTURE[/VARIANT]`. */
export async function putIndex(
  place: Place,
  tag: string,
  platforms: readonly string[],
  options: ImageOptions = {},
): Promise<MadeIndex> {
  const children: MadeImage[] = [];
  const manifests: object[] = [];
  for (const platform of platforms) {
    const [os, architecture = "", variant] = platform.split("/");
    const more = variant === undefined ? {} : { variant };
    const child = await putImage(place, { ...options, architecture, ...more });
    const { blobs: _, ...descriptor } = child;
    children.push(child);
    manifests.push({ ...descriptor, platform: { architecture, os, ...more } });
  }
  const value = { schemaVersion: 2, mediaType: types.index, manifests };
  return { ...await putManifest(place, value, types.index, tag), children };
}
