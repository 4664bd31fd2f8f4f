/**
 * Images from the command line: exported, listed, and read directly from the archive by podman,
 * oras and crane.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { manifestTypes } from "../../src/registry/artifact.ts";
import { Home } from "../support/program.ts";
import { isRoot, type Needs, requiring, tool } from "../support/needs.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import {
  type MadeImage,
  type MadeIndex,
  putImage,
  putIndex,
} from "../support/registry/made_images.ts";
import { havePeers, type Peer, peer } from "./peers.ts";

interface Scene {
  home: Home;
  host: string;
  /** `HOST/library/nginx:1.27`. */
  nginx: string;
  index: MadeIndex;
  helper: MadeImage;
  /** Exports both images to out/. */
  exported(...more: string[]): Promise<void>;
  /** Standard output of another program, run in the home. */
  words(program: string, ...args: string[]): string;
}

function imagesTest(name: string, needs: Needs, body: (scene: Scene) => Promise<void>): void {
  const tools = ["docker-registry", ...needs.tools ?? []];
  Deno.test(requiring(
    { ...needs, tools },
    name,
    () =>
      withDockerRegistry(async ({ host }) => {
        const home = new Home();
        try {
          const index = await putIndex(
            { host, name: "library/nginx" },
            "1.27",
            ["linux/amd64", "linux/arm64"],
            { created: "2024-05-01T10:00:00Z" },
          );
          const helper = await putImage({ host, name: "team/helper" }, { tag: "v1" });
          const [nginx, other] = [`${host}/library/nginx:1.27`, `${host}/team/helper:v1`];
          const words = ["export", "bundle", "--profile", "cluster", "--manifest"];
          const asked = ["--image", nginx, "--image", `oci://${other}`];
          await body({
            ...{ home, host, nginx, index, helper },
            exported: async (...more) => {
              await home.succeed([...words, "out/manifest.json", ...asked, ...more]);
            },
            words: (program, ...args) =>
              execFileSync(tool(program) ?? peer(program as Peer) ?? program, args, {
                cwd: home.path,
                env: { HOME: home.path, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
                encoding: "utf8",
                timeout: 120_000,
                stdio: ["ignore", "pipe", "pipe"],
              }),
          });
        } finally {
          home.remove();
        }
      }),
  ));
}

imagesTest("images are exported, verified and listed", {}, async (scene) => {
  const { home, host, nginx, index, helper, exported } = scene;
  await exported();
  await home.succeed(["verify", "out", "--trust", "state/keys/signing.pub"]);
  const { images, exit } = await home.json(["list", "out"]);
  assert.equal(exit, 0);
  const more = { registry: host, referrers: [] };
  assert.deepEqual(images, [
    {
      name: nginx,
      ...more,
      repository: "library/nginx",
      tag: "1.27",
      digest: index.digest,
      mediaType: index.mediaType,
      platforms: ["linux/amd64", "linux/arm64"],
    },
    {
      name: `${host}/team/helper:v1`,
      ...more,
      repository: "team/helper",
      tag: "v1",
      digest: helper.digest,
      mediaType: helper.mediaType,
      platforms: ["linux/amd64"],
    },
  ]);
  const { stdout } = await home.succeed(["list", "out"]);
  assert.match(
    stdout,
    new RegExp(`^image  ${nginx}  ${index.digest}  linux/amd64, linux/arm64$`, "m"),
  );
  const dry = await home.json([
    "export",
    "bundle",
    "--profile",
    "c",
    "--image",
    nginx,
    "--dry-run",
  ]);
  assert.deepEqual([dry.exit, dry.bundle.created], [0, "2024-05-01T10:00:00Z"]);
});

imagesTest(
  "a configured profile of images needs no options and may use the directory layout",
  {},
  async (scene) => {
    const { home, host, nginx } = scene;
    writeFileSync(
      join(home.path, "stella.yaml"),
      `version: 1
registries:
  site: { url: "http://${host}", serves: registry.example }
profiles:
  cluster: { kind: images, images: ["registry.example/library/nginx:1.27"] }
`,
    );
    const line = ["export", "bundle", "--profile", "cluster", "--config", "stella.yaml"];
    await home.succeed([...line, "--manifest", "a/manifest.json"]);
    const [image] = (await home.json(["list", "a"])).images;
    assert.equal(image.name, "registry.example/library/nginx:1.27");
    const { code, stderr } = await home.stella([...line, "--image", nginx, "--input", "a"]);
    assert.deepEqual([code, /--image together with --input/.test(stderr)], [2, true]);
    const shared = [...line, "--image", nginx, "--credentials", "file"];
    assert.match((await home.stella(shared)).stderr, /--credentials with several registries/);
  },
);

imagesTest(
  "load copies exported images into a registry with the same digests",
  {},
  async (scene) => {
    const { home, host, index, helper, exported } = scene;
    await exported();
    await home.succeed([
      "load",
      "out",
      "--to",
      `oci://${host}/mirror`,
      "--trust",
      "state/keys/signing.pub",
    ]);
    const mirror = `http://${host}/v2/mirror/${host.replace(":", "_")}`;
    for (
      const [name, made] of [["library/nginx/manifests/1.27", index], [
        "team/helper/manifests/v1",
        helper,
      ]] as const
    ) {
      const headers = { accept: `${index.mediaType}, ${helper.mediaType}` };
      const answer = await fetch(`${mirror}/${name}`, { method: "HEAD", headers });
      assert.equal(answer.headers.get("docker-content-digest"), made.digest);
    }
  },
);

imagesTest("all missing images are named in the error", {}, async ({ home, host, nginx }) => {
  const gone = [`${host}/team/none:1`, `${host}/none/at-all:2`];
  const asked = [nginx, ...gone].flatMap((one) => ["--image", one]);
  const ran = await home.json(["export", "bundle", "--profile", "c", ...asked]);
  assert.equal(ran.exit, 13);
  assert.equal(ran.error.reason, "image_missing");
  assert.deepEqual(ran.findings.map(({ path }: { path: string }) => path), gone);
});

imagesTest("podman pulls an image from the archive", {
  tools: ["podman"],
  others: isRoot,
}, async ({ exported, nginx, words, home }) => {
  await exported();
  const storage = ["--root", join(home.path, "root"), "--runroot", join(home.path, "run")];
  const args = [...storage, "--storage-driver", "vfs"];
  words("podman", ...args, "pull", "-q", `oci-archive:out/cluster.tar:${nginx}`);
  const named = words("podman", ...args, "images", "--format", "{{.Repository}}:{{.Tag}}").trim();
  assert.equal(named, nginx);
});

imagesTest("oras reads the archive directly", { others: havePeers("oras") }, async (scene) => {
  const { exported, nginx, words, index, host } = scene;
  await exported();
  const layout = ["--oci-layout-path", "out/cluster.tar"];
  const found = words("oras", "resolve", ...layout, nginx).trim();
  assert.equal(found, index.digest);
  const from = ["--from-oci-layout-path", "out/cluster.tar"];
  words("oras", "cp", "-r", "--to-plain-http", ...from, nginx, `${host}/copied/nginx:1`);
  const copied = words("oras", "resolve", "--plain-http", `${host}/copied/nginx:1`).trim();
  assert.equal(copied, index.digest);
});

imagesTest("crane pushes from a directory layout", {
  others: havePeers("crane"),
}, async ({ home, host, nginx, index, words }) => {
  const line = ["export", "bundle", "--profile", "c", "--image", nginx, "--layout", "directory"];
  await home.succeed([...line, "--manifest", "out/manifest.json"]);
  words("crane", "push", "--index", "--insecure", "out/payload", `${host}/pushed/all:1`);
  const pushed = JSON.parse(words("crane", "manifest", "--insecure", `${host}/pushed/all:1`));
  assert.deepEqual(pushed.manifests.map(({ digest }: { digest: string }) => digest), [
    index.digest,
  ]);
});

imagesTest(
  "load keeps the images' digests, and a second load sends nothing",
  {},
  async ({ home, host, index, helper, exported }) => {
    await exported();
    const words = ["load", "out", "--to", `oci://${host}/mirror`];
    const first = await home.json(words);
    assert.equal(first.exit, 0, JSON.stringify(first));
    const source = host.replace(":", "_");
    const expected = [
      { name: `${host}/library/nginx:1.27`, target: "library/nginx:1.27", digest: index.digest },
      { name: `${host}/team/helper:v1`, target: "team/helper:v1", digest: helper.digest },
    ].map((one) => ({
      ...one,
      target: `${host}/mirror/${source}/${one.target}`,
      result: "loaded",
      referrers: 0,
    }));
    assert.deepEqual(first.images, expected);
    for (const { target, digest } of expected) {
      const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(target) ?? [];
      const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
        headers: { accept: manifestTypes.join(", ") },
      });
      assert.equal(answer.headers.get("docker-content-digest"), digest);
      await answer.body?.cancel();
    }
    const { blobs, manifests, images } = await home.json(words);
    assert.deepEqual([blobs.sent, manifests], [0, 0]);
    assert.ok(images.every(({ result }: { result: string }) => result === "unchanged"));
  },
);
