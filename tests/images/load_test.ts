/** Loading into a registry that fails: what is transient is repeated, and nothing is left half. */
import assert from "node:assert/strict";
import { readImageSet } from "../../src/images/image_set.ts";
import { loadImages, type LoadOptions, type LoadReport } from "../../src/images/load.ts";
import { mapRepositories } from "../../src/images/mapping.ts";
import { memorySource } from "../support/bundle_fixture.ts";
import { Layout } from "../support/oci_layout.ts";
import { accepted, reset, status } from "../support/registry/corrupted.ts";
import { clientFor, FakeTiming } from "../support/registry/fake_bundle.ts";
import { FakeRegistry, type Handler } from "../support/registry/fake_registry.ts";
import { assertPullable } from "../support/registry/pullable.ts";

function someImages() {
  const layout = new Layout();
  const web = layout.both("web");
  layout.name(web, "registry.example/web:v1");
  layout.name(layout.image({ seed: "tool" }), "registry.example/tool:v2");
  layout.attach(web, "sbom");
  return layout;
}

interface Outcome {
  registry: FakeRegistry;
  /** Milliseconds between attempts. */
  waits: number[];
  load(more?: Partial<LoadOptions>): Promise<LoadReport>;
}

async function withLayout(
  layout: Layout,
  body: (outcome: Outcome) => Promise<void>,
): Promise<void> {
  const registry = await new FakeRegistry().start();
  const timing = new FakeTiming();
  const client = clientFor(`http://${registry.host}`, { timing });
  const load = async (more: Partial<LoadOptions> = {}) => {
    const payload = memorySource(layout.files());
    const set = await readImageSet(payload, undefined);
    const { images } = set;
    const repositories = mapRepositories(images, { prefix: "m", map: [], flatten: false });
    return await loadImages({
      client,
      payload,
      set,
      images,
      repositories,
      dryRun: false,
      partial: false,
      recheck: false,
      progress: () => {},
      signal: new AbortController().signal,
      ...more,
    });
  };
  try {
    await body({ registry, waits: timing.waits, load });
  } finally {
    client.close();
    await registry.stop();
  }
}

const requests: Record<string, RegExp> = {
  "the question for a manifest": /^HEAD .*\/manifests\/sha256:/,
  "the question for a blob": /^HEAD .*\/blobs\//,
  "the start of an upload": /^POST /,
  "an upload": /^PUT .*\/blobs\/uploads\//,
  "a manifest": /^PUT .*\/manifests\/sha256:/,
  "the question for a list of referrers": /^GET .*\/manifests\/sha256-/,
  "a list of referrers": /^PUT .*\/manifests\/sha256-/,
  "the question for a tag": /^HEAD .*\/manifests\/v\d$/,
  "a tag": /^PUT .*\/manifests\/v\d$/,
};

const transient: Record<string, [handler: Handler, wait?: number]> = {
  "429 with Retry-After": [status(429, { "retry-after": "7" }), 7000],
  "503": [status(503)],
  "a reset": [reset],
};

for (const [what, on] of Object.entries(requests)) {
  for (const [fault, [handler, wait]] of Object.entries(transient)) {
    Deno.test(`${what}: ${fault} is repeated, and all images are loaded`, () =>
      withLayout(someImages(), async ({ registry, waits, load }) => {
        registry.fault(on, handler, 1);
        const { images, findings } = await load();
        assert.deepEqual([registry.hits, findings], [1, []]);
        assert.ok(images.every(({ result }) => result === "loaded"));
        if (wait !== undefined) assert.deepEqual(waits, [wait]);
        assert.deepEqual(assertPullable(registry).slice(-2), ["v1", "v2"]);
      }));
  }

  Deno.test(`${what}: a registry that fails for good leaves no tag that cannot be pulled`, () =>
    withLayout(someImages(), async ({ registry, load }) => {
      registry.fault(on, status(500));
      await assert.rejects(load(), { reason: "server_error" });
      assert.ok(registry.hits >= 5);
      assertPullable(registry);
    }));
}

Deno.test("a registry that stores something else is told, and no tag is set", () =>
  withLayout(someImages(), async ({ registry, load }) => {
    const other = `sha256:${"0".repeat(64)}`;
    registry.fault(requests["an upload"]!, accepted(201, { "docker-content-digest": other }), 1);
    await assert.rejects(load(), { kind: "remote", reason: "digest_mismatch" });
    assert.deepEqual(assertPullable(registry), []);
  }));

Deno.test("--partial leaves out what the registry refuses, and tags the rest", () =>
  withLayout(someImages(), async ({ registry, load }) => {
    registry.fault(/^POST \/v2\/m\/registry\.example\/tool\//, status(403));
    await assert.rejects(load(), { reason: "auth" });
    const { images, findings } = await load({ partial: true });
    const results = images.map(({ name, result }) => `${result} ${name}`);
    assert.deepEqual(results, [
      "loaded registry.example/web:v1",
      "incomplete registry.example/tool:v2",
    ]);
    assert.deepEqual(new Set(findings.map(({ reason }) => reason)), new Set(["auth"]));
    assert.ok(!assertPullable(registry).includes("v2"));
  }));

Deno.test("signatures that an image got later are sent, and nothing else", () => {
  const layout = new Layout();
  const image = layout.image({ seed: "app" });
  layout.name(image, "registry.example/app:v1");
  return withLayout(layout, async ({ registry, load }) => {
    assert.equal((await load()).manifests, 1);
    const signature = layout.attach(image, "signature");
    const { blobs, manifests, images } = await load();
    assert.deepEqual([blobs.sent, manifests, images[0]!.result], [2, 1, "loaded"]);
    const list = registry.manifests.get(image.digest.replace(":", "-"))!;
    const { manifests: listed } = JSON.parse(new TextDecoder().decode(list.bytes));
    assert.deepEqual(listed.map(({ digest }: { digest: string }) => digest), [signature.digest]);
  });
});

Deno.test("--recheck sends a layer that the registry has lost", () => {
  const layout = new Layout();
  const layer = layout.layer("lost");
  layout.name(layout.image({ seed: "app", layers: [layer] }), "registry.example/app:v1");
  return withLayout(layout, async ({ registry, load }) => {
    await load();
    registry.blobs.delete(layer.digest);
    assert.equal((await load()).blobs.sent, 0);
    const { blobs, images } = await load({ recheck: true });
    assert.deepEqual([blobs.sent, images[0]!.result], [1, "unchanged"]);
    assertPullable(registry);
  });
});

Deno.test("an index with a child that is not carried gets no tag, unless the registry has it all", () => {
  const layout = new Layout();
  const index = layout.both("app");
  layout.name(index, "registry.example/app:v1");
  const [child] = JSON.parse(new TextDecoder().decode(layout.blobs.get(index.digest))).manifests;
  const bytes = layout.blobs.get(child.digest)!;
  layout.blobs.delete(child.digest);
  return withLayout(layout, async ({ registry, load }) => {
    const { images, findings } = await load();
    assert.deepEqual([images[0]!.result, findings[0]!.reason], ["incomplete", "file_missing"]);
    assert.deepEqual(assertPullable(registry), []);
    layout.blobs.set(child.digest, bytes);
    await load();
    layout.blobs.delete(child.digest);
    assert.equal((await load()).images[0]!.result, "unchanged");
  });
});

Deno.test("a foreign layer that is not carried is left to its own place", () => {
  const layout = new Layout();
  const type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const foreign = layout.layer("foreign", 100, type);
  layout.name(layout.image({ seed: "app", layers: [foreign] }), "registry.example/app:v1");
  layout.blobs.delete(foreign.digest);
  return withLayout(layout, async ({ load }) => {
    // The registry of the test wants every layer.
    await assert.rejects(load(), { message: /MANIFEST_BLOB_UNKNOWN/ });
  });
});
