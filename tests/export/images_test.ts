/** Images from a registry into a bundle that is an OCI layout. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseImage } from "../../src/domain/image_reference.ts";
import { readImages } from "../../src/images/layout.ts";
import { requiring, tool } from "../support/needs.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import {
  layerOf,
  type MadeImage,
  type MadeIndex,
  putImage,
  putIndex,
} from "../support/registry/made_images.ts";
import { assertSound, type Changes, run } from "../support/run_export.ts";

interface Corpus {
  host: string;
  dir: string;
  nginx: MadeIndex;
  tool: MadeImage;
}

/** An index of two platforms, and a docker image that shares a layer with it. */
function withCorpus(body: (corpus: Corpus) => Promise<void>): Promise<void> {
  return withDockerRegistry(async ({ host, dir }) => {
    const layers = [layerOf("shared", "x".repeat(100_000))];
    const nginx = await putIndex(
      { host, name: "library/nginx" },
      "1.27",
      ["linux/amd64", "linux/arm64/v8"],
      { created: "2024-05-01T10:00:00.5Z" },
    );
    const tool = await putImage({ host, name: "team/tool" }, {
      tag: "v1",
      docker: true,
      created: "0001-01-01T00:00:00Z",
      layers,
    });
    await body({ host, dir, nginx, tool });
  });
}

function images(host: string, names: readonly string[], more: Changes = {}): Changes {
  return {
    images: names.map((name) => parseImage(`${host}/${name}`)),
    compression: "none",
    created: "newest",
    sources: [],
    ...more,
  };
}

const both = ["team/tool:v1", "library/nginx:1.27"];

function words(program: string, ...args: string[]): string {
  return execFileSync(tool(program) ?? program, args, { timeout: 60_000, encoding: "utf8" });
}

Deno.test(requiring(
  ["docker-registry"],
  "a bundle of images verifies, and its entries, image list and index agree",
  () =>
    withCorpus(async ({ host, dir, nginx, tool }) => {
      const out = join(dir, "out");
      const report = await run(out, [], images(host, both));
      await assertSound(out);
      assert.equal(report.created, "2024-05-01T10:00:00Z");
      const { images: carried, blobs } = readImages(readFileSync(join(out, "images.json")));
      assert.deepEqual(
        carried.map(({ name, digest, platforms }) => [name, digest, platforms]),
        [
          [`${host}/library/nginx:1.27`, nginx.digest, ["linux/amd64", "linux/arm64/v8"]],
          [`${host}/team/tool:v1`, tool.digest, ["linux/amd64"]],
        ],
      );
      const expected = [nginx, ...nginx.children, tool].map(({ digest }) => digest);
      const parts = [...nginx.children, tool].flatMap((one) => one.blobs);
      const all = [...new Set([...expected, ...parts])].sort();
      assert.deepEqual(blobs.map(({ digest }) => digest), all);
      const lines = readFileSync(join(out, "SHA256SUMS"), "utf8").trim().split("\n");
      assert.deepEqual(lines.map((line) => line.slice(66)), [
        ...all.map((digest) => `blobs/sha256/${digest.slice(7)}`),
        "index.json",
        "oci-layout",
      ]);
      for (const line of lines.slice(0, -2)) assert(line.endsWith(line.slice(0, 64)), line);
    }),
));

Deno.test(requiring(
  ["docker-registry"],
  "the same images in any order give the same bundle, also as a directory",
  () =>
    withCorpus(async ({ host, dir }) => {
      const first = await run(join(dir, "a"), [], images(host, both));
      const second = await run(join(dir, "b"), [], images(host, [...both].reverse()));
      assert.equal(second.bundleDigest, first.bundleDigest);
      const third = await run(join(dir, "c"), [], images(host, both, { layout: "directory" }));
      assert.equal(third.payload.bytes, first.payload.bytes);
      await assertSound(join(dir, "c"));
    }),
));

Deno.test(requiring(
  ["docker-registry", "skopeo"],
  "skopeo reads an image from the archive and from a directory layout",
  () =>
    withCorpus(async ({ host, dir, nginx }) => {
      await run(join(dir, "a"), [], images(host, both));
      const name = `${host}/library/nginx:1.27`;
      const archive = `oci-archive:${join(dir, "a", "p.tar")}:${name}`;
      const raw = words("skopeo", "inspect", "--raw", archive);
      assert.equal(JSON.parse(raw).manifests.length, 2);
      words("skopeo", "copy", "--all", archive, `dir:${join(dir, "copied")}`);
      const index = readFileSync(join(dir, "copied", "manifest.json"));
      assert.equal(index.length, nginx.size);
      await run(join(dir, "b"), [], images(host, both, { layout: "directory" }));
      const layout = `oci:${join(dir, "b", "payload")}:${name}`;
      assert.equal(words("skopeo", "inspect", "--raw", layout), raw);
    }),
));

Deno.test(requiring(
  ["docker-registry"],
  "a sealed site does not connect to an unlisted registry",
  () =>
    withCorpus(async ({ host, dir }) => {
      const sealed = (allow: string[]) =>
        images(host, ["team/tool:v1"], { egress: { sealed: true, allow } });
      await run(join(dir, "a"), [], sealed([host]));
      await assert.rejects(run(join(dir, "b"), [], sealed([])), {
        reason: "egress_refused",
        message: /^Cannot export the image ".*": Cannot connect to 127\.0\.0\.1:\d+/,
      });
    }),
));
