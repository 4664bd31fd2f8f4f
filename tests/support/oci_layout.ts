/** Small OCI image layouts for tests: images of random-looking layers, made the same each time. */
import { ociTypes } from "../../src/registry/artifact.ts";
import { type Digest, sha256 } from "../../src/domain/hash.ts";
import { bytesOf, type Entry, type Files } from "./bundle_fixture.ts";

export interface LayoutDescriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: { os: string; architecture: string };
}

export const dockerTypes = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  list: "application/vnd.docker.distribution.manifest.list.v2+json",
  config: "application/vnd.docker.container.image.v1+json",
  layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
};
export const ociConfig = "application/vnd.oci.image.config.v1+json";
export const ociLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
export const sbomType = "application/vnd.example.sbom";

interface ImageParts {
  /** What makes it another image than others. */
  seed: string;
  architecture?: string;
  layers?: LayoutDescriptor[];
  docker?: boolean;
  subject?: LayoutDescriptor;
  artifactType?: string;
}

export class Layout {
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly listed: LayoutDescriptor[] = [];

  blob(bytes: Uint8Array | string, mediaType: string): LayoutDescriptor {
    const content = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    const digest = `sha256:${sha256(content)}` as const;
    this.blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  }

  layer(seed: string, size = 3000, mediaType = ociLayer): LayoutDescriptor {
    let text = "";
    for (let i = 0; text.length < size; i++) text += sha256(`${seed} ${i}`);
    return this.blob(text.slice(0, size), mediaType);
  }

  image({ seed, architecture = "amd64", layers, docker = false, ...more }: ImageParts) {
    const config = { architecture, os: "linux", config: {}, rootfs: { type: "layers" }, seed };
    const layerType = docker ? dockerTypes.layer : ociLayer;
    const mediaType = docker ? dockerTypes.manifest : ociTypes.manifest;
    return this.#json({
      schemaVersion: 2,
      mediaType,
      ...(more.artifactType === undefined ? {} : { artifactType: more.artifactType }),
      config: this.blob(JSON.stringify(config), docker ? dockerTypes.config : ociConfig),
      layers: layers ?? [this.layer(seed, 3000, layerType)],
      ...(more.subject === undefined ? {} : { subject: bare(more.subject) }),
      annotations: { "org.example.seed": seed },
    }, mediaType);
  }

  index(manifests: LayoutDescriptor[], docker = false): LayoutDescriptor {
    const mediaType = docker ? dockerTypes.list : ociTypes.index;
    return this.#json({ schemaVersion: 2, mediaType, manifests }, mediaType);
  }

  /** Both architectures of one image. */
  both(seed: string, docker = false): LayoutDescriptor {
    const of = (architecture: string) => ({
      ...this.image({ seed: `${seed} ${architecture}`, architecture, docker }),
      platform: { os: "linux", architecture },
    });
    return this.index([of("amd64"), of("arm64")], docker);
  }

  name(descriptor: LayoutDescriptor, name: string): void {
    const annotations = {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": name,
    };
    this.listed.push({ ...descriptor, annotations });
  }

  /** A signature or an SBOM of `subject`, listed without a name. */
  attach(subject: LayoutDescriptor, seed: string): LayoutDescriptor {
    const referrer = this.image({ seed, subject, artifactType: sbomType });
    this.listed.push({ ...referrer, artifactType: sbomType });
    return referrer;
  }

  entries(): Entry[] {
    const index = { schemaVersion: 2, mediaType: ociTypes.index, manifests: this.listed };
    return [
      ...[...this.blobs].map(([digest, content]) => ({ path: pathOf(digest), content })),
      { path: "index.json", content: JSON.stringify(index) },
      { path: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    ];
  }

  /** Its files by path. */
  files(): Files {
    return new Map(this.entries().map(({ path, content }) => [path, bytesOf(content)]));
  }

  #json(value: object, mediaType: string): LayoutDescriptor {
    return this.blob(JSON.stringify(value), mediaType);
  }
}

export function pathOf(digest: Digest): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}

function bare({ mediaType, digest, size }: LayoutDescriptor): LayoutDescriptor {
  return { mediaType, digest, size };
}
