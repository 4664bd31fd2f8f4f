/** Registry faults while blobs are packed: the bundle is right, or there is none. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { sha256 } from "../../src/domain/hash.ts";
import { parseImage } from "../../src/domain/image_reference.ts";
import { withDirectory } from "../support/bundle_fixture.ts";
import { fail, FakeRegistry, type Handler } from "../support/registry/fake_registry.ts";
import { type MadeImage, putImage } from "../support/registry/made_images.ts";
import { assertSound, run } from "../support/run_export.ts";

const layers = [crypto.getRandomValues(new Uint8Array(65_536)), new Uint8Array(0)];

interface Scene {
  registry: FakeRegistry;
  image: MadeImage;
  out: string;
  export(): Promise<unknown>;
}

function faultTest(name: string, body: (scene: Scene) => Promise<void>): void {
  Deno.test(name, () =>
    withDirectory(async (root) => {
      const registry = await new FakeRegistry().start();
      const out = join(root, "out");
      try {
        const image = await putImage({ host: registry.host, name: "x/y" }, { tag: "v1", layers });
        const images = [parseImage(`${registry.host}/x/y:v1`)];
        await body({
          ...{ registry, image, out },
          export: () => run(out, [], { images, compression: "none", created: "newest" }),
        });
      } finally {
        await registry.stop();
      }
    }));
}

const layer = ({ blobs }: MadeImage) => new RegExp(`^GET .*/blobs/${blobs[1]}$`);

/** Answers with the blob's bytes after `change`. */
function altered(
  { registry, image }: Scene,
  change: (bytes: Uint8Array) => Uint8Array,
): Handler {
  const bytes = change(new Uint8Array(registry.blobs.get(image.blobs[1]!)!));
  return (_, response) =>
    void response.writeHead(200, { "content-length": bytes.length }).end(bytes);
}

const fatal: [string, (scene: Scene) => Handler, number, RegExp][] = [
  [
    "other content",
    (scene) => altered(scene, (bytes) => (bytes[9] = ~bytes[9]!, bytes)),
    7,
    /^Cannot pack the blob sha256:[0-9a-f]{64}: its sha256 is [0-9a-f]{64}$/,
  ],
  [
    "fewer bytes",
    (scene) => altered(scene, (bytes) => bytes.subarray(1)),
    13,
    /x\/y:v1": it has \d+ bytes, but is declared with \d+$/,
  ],
  [
    "more bytes",
    (scene) => altered(scene, (bytes) => new Uint8Array([...bytes, 0])),
    13,
    /it has \d+ bytes, but is declared with \d+$/,
  ],
  [
    "no such blob",
    () => (_, response) => fail(response, 404, "BLOB_UNKNOWN", "gone"),
    13,
    /the registry does not have it$/,
  ],
  ["a refusal", () => (_, response) => fail(response, 403, "DENIED", "not you"), 13, /403/],
];

for (const [what, handler, code, message] of fatal) {
  faultTest(`a blob that cannot be packed leaves no bundle: ${what}`, async (scene) => {
    scene.registry.fault(layer(scene.image), handler(scene));
    await assert.rejects(scene.export(), (error) => {
      assert(error instanceof StellaError, String(error));
      assert.deepEqual([error.exitCode, error.hint === undefined], [code, false], error.message);
      assert.match(error.message, message);
      return true;
    });
    const left = existsSync(scene.out) ? readdirSync(scene.out) : [];
    assert.deepEqual(left, []);
  });
}

const passing: [string, Handler][] = [
  [
    "429, which says how long to wait",
    (_, response) => fail(response, 429, "TOOMANYREQUESTS", "slowly", { "retry-after": "1" }),
  ],
  ["503", (_, response) => fail(response, 503, "UNAVAILABLE", "later")],
  ["a reset", (_, response) => void response.destroy()],
];

for (const [what, handler] of passing) {
  faultTest(
    `an export succeeds after ${what}, with the same bundle`,
    (scene) =>
      exportTwice(scene, () => {
        scene.registry.fault(layer(scene.image), handler, 1);
        scene.registry.fault(/^(HEAD|GET) .*\/manifests\//, handler, 1);
        return 2;
      }),
  );
}

faultTest(
  "a blob whose connection ends early is resumed at its offset",
  (scene) =>
    exportTwice(scene, () => {
      const bytes = scene.registry.blobs.get(scene.image.blobs[1]!)!;
      scene.registry.fault(layer(scene.image), (_, response) => {
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 1000), () => response.destroy());
      }, 1);
      return 1;
    }),
);

/** Exports without and with faults; `disturb` returns how many of them have to happen. */
async function exportTwice(scene: Scene, disturb: () => number): Promise<void> {
  await scene.export();
  const archive = join(scene.out, "p.tar");
  const expected = sha256(readFileSync(archive));
  for (const name of readdirSync(scene.out)) Deno.removeSync(join(scene.out, name));
  const count = disturb();
  await scene.export();
  assert.equal(scene.registry.hits, count);
  assert.equal(sha256(readFileSync(archive)), expected);
  await assertSound(scene.out);
}

Deno.test("a blob of several parts is packed unchanged", () =>
  withDirectory(async (root) => {
    const registry = await new FakeRegistry().start();
    try {
      // Larger than the prefetch buffer; random, so that it does not compress.
      const large = new Uint8Array(9 * 1024 * 1024);
      for (let at = 0; at < large.length; at += 65_536) {
        crypto.getRandomValues(large.subarray(at, at + 65_536));
      }
      await putImage({ host: registry.host, name: "x/y" }, { tag: "v1", layers: [large] });
      const images = [parseImage(`${registry.host}/x/y:v1`)];
      const out = join(root, "out");
      await run(out, [], { images, compression: "none", created: "newest" });
      await assertSound(out);
    } finally {
      await registry.stop();
    }
  }));
