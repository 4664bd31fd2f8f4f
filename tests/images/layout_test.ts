import assert from "node:assert/strict";
import type { Digest } from "../../src/domain/hash.ts";
import {
  blobPath,
  type CarriedImage,
  encodeImages,
  encodeLayout,
  encodeLayoutIndex,
  type ImagesDocument,
  readImages,
} from "../../src/images/layout.ts";

const digests = ["1", "2", "3", "4"].map((one): Digest => `sha256:${one.repeat(64)}`);
const [index, config, signature, legacy] = digests as [Digest, Digest, Digest, Digest];
const mediaType = "application/vnd.oci.image.manifest.v1+json";

function app(changes: Partial<CarriedImage> = {}): CarriedImage {
  return {
    name: "registry.site:5000/team/app:1.2",
    registry: "registry.site:5000",
    repository: "team/app",
    tag: "1.2",
    digest: index,
    mediaType: "application/vnd.oci.image.index.v1+json",
    platforms: ["linux/amd64", "linux/arm64/v8"],
    signedBy: ["release"],
    referrers: [
      {
        digest: signature,
        mediaType,
        artifactType: "application/vnd.example+json",
        subject: index,
        annotations: { b: "2", a: "1", __proto__x: "3", "7": "4" },
      },
      { digest: legacy, mediaType, subject: index, tag: "sha256-11.sig" },
    ],
    blobs: [0, 1, 2, 3],
    ...changes,
  };
}

function documentOf(...images: CarriedImage[]): ImagesDocument {
  return {
    schemaVersion: 1,
    images,
    blobs: digests.map((digest, i) => ({ digest, size: 10 + i })),
  };
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("images.json is read as it was written, whatever the order of keys that it was made from", () => {
  const image = app();
  const bytes = encodeImages(documentOf(image));
  const read = readImages(bytes);
  assert.deepEqual(JSON.parse(JSON.stringify(read)), documentOf(image));
  const turned = Object.fromEntries(Object.entries(image).reverse()) as CarriedImage;
  assert.equal(decode(encodeImages(documentOf(turned))), decode(bytes));
});

Deno.test("a key of annotations called __proto__ is a key like any other", () => {
  const text = decode(encodeImages(documentOf(app()))).replace("__proto__x", "__proto__");
  const [referrer] = readImages(encode(text)).images[0]!.referrers;
  assert.deepEqual(Object.keys(referrer!.annotations!), ["7", "__proto__", "a", "b"]);
});

Deno.test("an images.json that is not consistent is refused, with the place of the fault", () => {
  const stable = app({ name: `registry.site:5000/team/app@${index}` });
  delete stable.tag;
  assert.equal(readImages(encodeImages(documentOf(stable))).images.length, 1);
  const other = digests[3]!.replace("4", "5") as Digest;
  const refused: [ImagesDocument, RegExp][] = [
    [documentOf(app(), app()), /images\[1\]\.name is not after the one before it/],
    [documentOf(app({ name: "other:1" })), /images\[0\]\.name does not follow from registry/],
    [documentOf(app({ registry: "../etc" })), /images\[0\]\.registry is not HOST/],
    [documentOf(app({ repository: "A" })), /images\[0\]\.repository is not a repository/],
    [documentOf(app({ tag: "a/b" })), /images\[0\]\.tag is not a tag/],
    [documentOf(app({ digest: other })), /images\[0\]\.digest is not among its blobs/],
    [documentOf(app({ blobs: [0, 1, 2, 4] })), /images\[0\]\.blobs\[3\] is not the number of a/],
    [documentOf(app({ blobs: [0, 0, 2, 3] })), /images\[0\]\.blobs\[1\] is not the number of a/],
    [documentOf(app({ blobs: [0, 1, 2] })), /images\[0\]\.referrers\[1\]\.digest is not among/],
    [documentOf(app({ blobs: [1, 2, 3] })), /images\[0\]\.digest is not among its blobs/],
    [{ ...documentOf(app()), blobs: documentOf().blobs.reverse() }, /blobs\[1\] is not after/],
  ];
  for (const [document, message] of refused) {
    assert.throws(() => readImages(encodeImages(document)), { reason: "images_invalid", message });
  }
});

Deno.test("another encoding of the same images, and a field that is not known, are refused", () => {
  const text = decode(encodeImages(documentOf(app())));
  assert.throws(() => readImages(encode(`${text}\n`)), /not in the one encoding/);
  assert.throws(() => readImages(encode(text.replace('"tag"', '"tags"'))), /tags is not known/);
  assert.throws(() => readImages(encode(text.slice(1))), /Cannot read the list of images/);
});

Deno.test("the layout names each image twice, its referrers by type, and legacy signatures by tag", () => {
  const twin = app({ name: "registry.site:5000/team/app:latest", tag: "latest" });
  const read = JSON.parse(decode(encodeLayoutIndex(documentOf(app(), twin))));
  const named = (name: string) => ({
    mediaType: "application/vnd.oci.image.index.v1+json",
    digest: index,
    size: 10,
    annotations: {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": name,
    },
  });
  assert.deepEqual(read, {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      named("registry.site:5000/team/app:1.2"),
      named("registry.site:5000/team/app:latest"),
      { mediaType, digest: signature, size: 12, artifactType: "application/vnd.example+json" },
      {
        mediaType,
        digest: legacy,
        size: 13,
        annotations: {
          "org.opencontainers.image.ref.name": "registry.site:5000/team/app:sha256-11.sig",
        },
      },
    ],
  });
  assert.equal(decode(encodeLayout()), '{"imageLayoutVersion":"1.0.0"}');
  assert.equal(blobPath(config), `blobs/sha256/${"2".repeat(64)}`);
});
