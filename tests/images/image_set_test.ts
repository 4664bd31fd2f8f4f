/** What an OCI layout holds, and what of a layout is refused. */
import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import { readImageSet, selectImages } from "../../src/images/image_set.ts";
import { ociTypes } from "../../src/registry/artifact.ts";
import { bytesOf, memorySource } from "../support/bundle_fixture.ts";
import { Layout, type LayoutDescriptor, ociConfig, ociLayer } from "../support/oci_layout.ts";

const name = "registry.example/app:v1";

function setOf(layout: Layout, without: LayoutDescriptor[] = []) {
  for (const { digest } of without) layout.blobs.delete(digest);
  return readImageSet(memorySource(layout.files()), undefined);
}

Deno.test("the closure of an image has children first, then referrers after their subjects", async () => {
  const layout = new Layout();
  const index = layout.both("app");
  layout.name(index, name);
  const sbom = layout.attach(index, "sbom");
  const signature = layout.attach(sbom, "signature");
  const set = await setOf(layout);
  const { own, attached, faults } = set.closureOf(set.images[0]!);
  assert.deepEqual([own.length, own.at(-1)!.descriptor.digest], [3, index.digest]);
  const referrers = attached.map((tree) => tree.map(({ descriptor }) => descriptor.digest));
  assert.deepEqual(referrers, [[sbom.digest], [signature.digest]]);
  assert.deepEqual([faults, set.unnamed], [[], []]);
});

Deno.test("a list of referrers under the tag of a digest stands for the referrers that it lists", async () => {
  const layout = new Layout();
  const image = layout.image({ seed: "app" });
  const signature = layout.image({ seed: "signature", subject: image });
  layout.name(image, name);
  const list = layout.index([signature]);
  layout.name(list, `registry.example/app:${image.digest.replace(":", "-")}`);
  const set = await setOf(layout);
  assert.deepEqual(set.images.map((one) => one.name), [name]);
  const { attached } = set.closureOf(set.images[0]!);
  assert.equal(attached[0]!.at(-1)!.descriptor.digest, signature.digest);
});

Deno.test("a selection brings the signatures that have tags of their own", async () => {
  const layout = new Layout();
  const image = layout.image({ seed: "app" });
  const signature = layout.image({ seed: "signature" });
  const tag = `${image.digest.replace(":", "-")}.sig`;
  layout.name(image, name);
  layout.name(layout.image({ seed: "other" }), "registry.example/other:v1");
  layout.name(signature, `registry.example/app:${tag}`);
  layout.name(signature, `registry.example/elsewhere:${tag}`);
  const set = await setOf(layout);
  const names = selectImages(set, (one) => one === name).map((one) => one.name);
  assert.deepEqual(names, [name, `registry.example/app:${tag}`]);
});

Deno.test("a manifest without a name, a subject or a parent is told", async () => {
  const layout = new Layout();
  layout.name(layout.image({ seed: "app" }), name);
  const lost = [layout.image({ seed: "lost" }), layout.image({ seed: "short name" })];
  layout.listed.push(lost[0]!);
  layout.name(lost[1]!, "v1");
  const { unnamed } = await setOf(layout);
  assert.deepEqual(unnamed, lost.map(({ digest }) => digest));
});

Deno.test("a child that the bundle does not carry makes its image incomplete", async () => {
  const layout = new Layout();
  const kept = layout.image({ seed: "kept" });
  const left = layout.image({ seed: "left", architecture: "arm64" });
  layout.name(layout.index([kept, left]), name);
  const set = await setOf(layout, [left]);
  const { faults } = set.closureOf(set.images[0]!);
  assert.deepEqual(faults.map(({ reason }) => reason), ["file_missing"]);
});

/** Layouts whose maker is at fault, each with what is said. */
const refused: Record<string, [make: (layout: Layout) => LayoutDescriptor, said: RegExp]> = {
  "is both": [(layout) => {
    const part = layout.layer("x");
    const both = { schemaVersion: 2, manifests: [], config: part, layers: [part] };
    return layout.blob(JSON.stringify(both), ociTypes.index);
  }, /both an index and an image/],
  "has schema 1": [
    (layout) => layout.blob('{"schemaVersion":1}', ociTypes.manifest),
    /schema version is not 2/,
  ],
  "says another type": [(layout) => {
    const image = layout.image({ seed: "a" });
    return { ...image, mediaType: ociTypes.index };
  }, /is listed as "application\/vnd\.oci\.image\.index/],
  "is no manifest": [(layout) => layout.layer("a", 10), /which is no manifest/],
  "is not JSON": [(layout) => layout.blob("{", ociTypes.manifest), /not JSON/],
  "has a sha512": [(layout) => {
    const config = { mediaType: ociConfig, digest: `sha512:${"a".repeat(128)}`, size: 1 };
    const image = { schemaVersion: 2, config, layers: [] };
    return layout.blob(JSON.stringify(image), ociTypes.manifest);
  }, /not by sha256/],
  "is nested too deep": [(layout) => {
    let index = layout.image({ seed: "a" });
    for (let i = 0; i < 5; i++) index = layout.index([index]);
    return index;
  }, /nested more than 4 deep/],
  "lists too many": [(layout) => {
    const one = layout.image({ seed: "a" });
    return layout.index(Array(1001).fill(one));
  }, /more than 1000 others/],
};

for (const [what, [make, said]] of Object.entries(refused)) {
  Deno.test(`a layout with a manifest that ${what} is refused`, async () => {
    const layout = new Layout();
    layout.name(make(layout), name);
    await assert.rejects(setOf(layout), (error) => {
      assert.ok(error instanceof StellaError);
      assert.match(error.message, said);
      return error.exitCode === 3;
    });
  });
}

Deno.test("two images of one name are refused", async () => {
  const layout = new Layout();
  layout.name(layout.image({ seed: "a" }), name);
  layout.name(layout.image({ seed: "b" }), name);
  await assert.rejects(setOf(layout), { reason: "images_invalid" });
});

Deno.test("a payload that is no layout is refused", async () => {
  const layer = new Layout().layer("a", 10, ociLayer);
  const files = new Map([["a.txt", bytesOf(layer.digest)]]);
  await assert.rejects(readImageSet(memorySource(files), undefined), { reason: "images_invalid" });
});
