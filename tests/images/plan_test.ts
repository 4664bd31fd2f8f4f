/** What is refused before a bundle is written, and what is asked of a registry. */
import assert from "node:assert/strict";
import { StellaError } from "../../src/domain/errors.ts";
import type { Digest } from "../../src/domain/hash.ts";
import { parseImage } from "../../src/domain/image_reference.ts";
import { endpointOf } from "../../src/domain/reference.ts";
import { type ImagePlan, planImages } from "../../src/images/plan.ts";
import { ImageSources } from "../../src/images/sources.ts";
import { FakeTiming } from "../support/registry/fake_bundle.ts";
import { digestOf, FakeRegistry } from "../support/registry/fake_registry.ts";
import { types } from "../support/registry/made_images.ts";

const text = new TextEncoder();

/** A registry in memory with images that need not be right. */
class Scene {
  constructor(readonly registry: FakeRegistry) {}

  blob(content: string, mediaType: string) {
    const bytes = text.encode(content);
    const digest = digestOf(bytes);
    this.registry.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  manifest(value: unknown, mediaType: string, tag?: string) {
    const bytes = text.encode(typeof value === "string" ? value : JSON.stringify(value));
    const digest = digestOf(bytes);
    for (const name of [digest, ...tag === undefined ? [] : [tag]]) {
      this.registry.manifests.set(name, { bytes, type: mediaType });
    }
    return { mediaType, digest, size: bytes.length };
  }

  image(tag?: string, changes: object = {}) {
    const config = this.blob('{"architecture":"amd64","os":"linux"}', types.config);
    const layers = [this.blob("layer", types.layer)];
    const value = { schemaVersion: 2, mediaType: types.manifest, config, layers, ...changes };
    return this.manifest(value, types.manifest, tag);
  }

  index(manifests: object[], tag?: string, changes: object = {}) {
    const value = { schemaVersion: 2, mediaType: types.index, manifests, ...changes };
    return this.manifest(value, types.index, tag);
  }

  async plan(...names: string[]): Promise<ImagePlan> {
    const sources = new ImageSources({
      settingsOf: (authority) => ({ endpoint: endpointOf({ authority }) }),
      timing: new FakeTiming(),
      policy: () => {},
      signal: new AbortController().signal,
    });
    try {
      const images = names.map((name) => parseImage(`${this.registry.host}/${name}`));
      return await planImages(images, (image) => sources.repository(image));
    } finally {
      sources.close();
    }
  }

  async refusal(...names: string[]): Promise<StellaError> {
    try {
      await this.plan(...names);
    } catch (error) {
      if (error instanceof StellaError) return error;
      throw error;
    }
    throw new Error("it was not refused");
  }
}

function planTest(name: string, body: (scene: Scene) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const registry = await new FakeRegistry().start();
    try {
      await body(new Scene(registry));
    } finally {
      await registry.stop();
    }
  });
}

planTest(
  "a manifest that several images have is read once, and a tag costs one HEAD",
  async (scene) => {
    const child = scene.image("a");
    scene.index([{ ...child, platform: { os: "linux", architecture: "amd64" } }], "both");
    scene.registry.manifests.set("b", scene.registry.manifests.get("a")!);
    const { document } = await scene.plan("x/y:a", "x/y:b", "x/y:both");
    assert.deepEqual(document.images.map(({ tag, blobs }) => [tag, blobs.length]), [
      ["a", 3],
      ["b", 3],
      ["both", 4],
    ]);
    const asked = (pattern: RegExp) =>
      scene.registry.log.filter((line) => pattern.test(line)).length;
    assert.equal(asked(/^HEAD .*\/manifests\/(a|b|both)$/), 3);
    assert.equal(asked(/^GET .*\/manifests\/sha256:/), 2);
    assert.equal(asked(/^GET .*\/manifests\/(a|b|both)$/), 0);
  },
);

planTest(
  "a tag with a digest has to refer to it; without a tag the digest is the name",
  async (scene) => {
    const { digest } = scene.image("v1");
    const { document } = await scene.plan(`x/y:v1@${digest}`, `x/y@${digest}`);
    const { host } = scene.registry;
    assert.deepEqual(document.images.map(({ name }) => name), [
      `${host}/x/y:v1`,
      `${host}/x/y@${digest}`,
    ]);
    const other = `sha256:${"0".repeat(64)}`;
    const { exitCode, message, hint } = await scene.refusal(`x/y:v1@${other}`);
    assert.deepEqual([exitCode, hint?.startsWith("check why the tag was moved")], [7, true]);
    assert.match(message, new RegExp(`the tag now refers to ${digest}$`));
  },
);

planTest(
  "times that no bundle can have, and platforms that are none, are passed over",
  async (scene) => {
    const created = (time: string, more = {}) => {
      const config = scene.blob(JSON.stringify({ created: time, ...more }), types.config);
      return scene.image(undefined, { config });
    };
    const times = ["9999-01-01T00:00:00Z", "2021-02-03T04:05:06.9+01:00", "yesterday"];
    const platform = { os: "unknown", architecture: "unknown" };
    const children = times.map((time) => ({ ...created(time), platform }));
    const annotations = { "org.opencontainers.image.created": "2020-01-01T00:00:00Z" };
    scene.index([...children, created("", { os: "linux", architecture: "a b" })], "v1", {
      annotations,
    });
    const plan = await scene.plan("x/y:v1");
    assert.equal(new Date(plan.created * 1000).toISOString(), "2021-02-03T03:05:06.000Z");
    assert.deepEqual(plan.document.images[0]?.platforms, []);
  },
);

const zero: Digest = `sha256:${"0".repeat(64)}`;

/** What a registry has as the tag v1, and why that is refused. */
const refused: [string, (scene: Scene) => void, RegExp][] = [
  ["schema 1", (s) => s.image("v1", { schemaVersion: 1 }), /no manifest of schema version 2/],
  ["two in one", (s) => s.image("v1", { manifests: [] }), /both an index and a manifest/],
  [
    "an index with layers",
    (s) => s.index([], "v1", { layers: [] }),
    /both an index and a manifest/,
  ],
  ["another type inside", (s) => s.image("v1", { mediaType: types.index }), /is declared as/],
  ["no JSON", (s) => s.manifest("{", types.manifest, "v1"), /not valid JSON/],
  ["a repeated key", (s) => s.manifest('{"config":1,"config":2}', types.manifest, "v1"), /JSON/],
  ["no object", (s) => s.manifest("[]", types.manifest, "v1"), /not a JSON object/],
  [
    "an unknown type",
    (s) => s.manifest({ schemaVersion: 2 }, "text/html", "v1"),
    /neither an image/,
  ],
  ["no layers", (s) => s.image("v1", { layers: undefined }), /has no list of layers/],
  [
    "too many layers",
    (s) => s.image("v1", { layers: Array(1001).fill(s.blob("l", types.layer)) }),
    /more than 1000 layers/,
  ],
  [
    "sha512",
    (s) => s.image("v1", { config: { ...s.blob("{}", types.config), digest: "sha512:00" } }),
    /its config has the digest "sha512:00"/,
  ],
  [
    "a negative size",
    (s) => s.image("v1", { layers: [{ ...s.blob("l", types.layer), size: -1 }] }),
    /layers\[0\] has no valid size/,
  ],
  [
    "two sizes of one blob",
    (s) => {
      const layer = s.blob("l", types.layer);
      s.image("v1", { layers: [layer, { ...layer, size: 2 }] });
    },
    /is declared with 1 and with 2 bytes/,
  ],
  [
    "a child of another size",
    (s) => s.index([{ ...s.image(), size: 5 }], "v1"),
    /bytes, but is declared with 5$/,
  ],
  [
    "a child that is an endless manifest",
    (s) => s.index([{ ...s.image(), size: 2 ** 40 }], "v1"),
    /more than 4 MiB/,
  ],
  [
    "a child that is missing",
    (s) => s.index([{ ...s.image(), digest: zero }], "v1"),
    /the registry does not have sha256:0000/,
  ],
  [
    "a config of another size",
    (s) => s.image("v1", { config: { ...s.blob("{}", types.config), size: 3 } }),
    /has 2 bytes, but is declared with 3$/,
  ],
  [
    "a config that is no object",
    (s) => s.image("v1", { config: s.blob("[]", types.config) }),
    /is not a JSON object/,
  ],
  [
    "indexes nested too deep",
    (s) => s.index([s.index([s.index([s.index([s.image()])])])], "v1"),
    /nested more than 4 deep/,
  ],
];

for (const [what, make, message] of refused) {
  planTest(`an image is refused: ${what}`, async (scene) => {
    make(scene);
    const error = await scene.refusal("x/y:v1");
    assert.equal(error.exitCode, 13, String(error));
    assert.match(error.message, message);
    assert(error.message.startsWith(`Cannot export the image "${scene.registry.host}/x/y:v1": `));
  });
}

planTest(
  "indexes may be nested, and every image that cannot be carried is named",
  async (scene) => {
    scene.index([scene.index([scene.index([scene.image()])])], "deep");
    assert.equal((await scene.plan("x/y:deep")).document.blobs.length, 6);
    scene.image("bad", { layers: 1 });
    const error = await scene.refusal("x/y:deep", "x/y:bad", "x/y:none");
    assert.equal(error.message, "Cannot export 2 of the 3 images");
    const found = error.findings.map(({ reason, path }) => `${reason} ${path?.split("/").at(-1)}`);
    assert.deepEqual(found, ["image_invalid y:bad", "image_missing y:none"]);
  },
);
