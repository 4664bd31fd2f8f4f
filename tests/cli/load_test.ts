/** Loading images into a registry, as a user does it. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/domain/hash.ts";
import { encodeImages } from "../../src/images/layout.ts";
import { havePeers, peer } from "../e2e/peers.ts";
import { makeBundle, type Recipe, writeFiles } from "../support/bundle_fixture.ts";
import { isLong, requiring, tool } from "../support/needs.ts";
import {
  Layout,
  type LayoutDescriptor,
  ociConfig,
  pathOf,
  sbomType,
} from "../support/oci_layout.ts";
import { type Home, programWords, withHome } from "../support/program.ts";
import { FakeRegistry } from "../support/registry/fake_registry.ts";
import { assertPullable } from "../support/registry/pullable.ts";
import { status } from "../support/registry/corrupted.ts";
import {
  type DockerRegistry,
  withDockerRegistry,
  withServed,
} from "../support/registry/docker_registry.ts";

/** All forms of content, under five names. */
function someImages() {
  const layout = new Layout();
  const web = layout.both("web");
  const shared = layout.layer("shared", 200_000);
  const app = layout.image({ seed: "app", layers: [shared, layout.layer("app")] });
  const tool = layout.image({ seed: "tool", layers: [shared] });
  const old = layout.both("old", true);
  const nested = layout.index([layout.both("inner"), layout.image({ seed: "outer" })]);
  layout.name(web, "docker.io/library/web:1.0");
  layout.name(app, "registry.example:5000/team/app:v2");
  layout.name(tool, "registry.example:5000/team/tool:v2");
  layout.name(old, "docker.io/library/old:1.0");
  layout.name(nested, "ghcr.io/org/nested:latest");
  const sbom = layout.attach(web, "sbom");
  const signature = layout.attach(sbom, "signature of the sbom");
  const tagged = layout.image({ seed: "legacy signature" });
  layout.name(tagged, `docker.io/library/web:${web.digest.replace(":", "-")}.sig`);
  return { layout, web, app, tool, old, nested, sbom, signature, tagged, shared };
}

const tops = {
  "mirror/docker.io/library/web:1.0": "web",
  "mirror/registry.example_5000/team/app:v2": "app",
  "mirror/registry.example_5000/team/tool:v2": "tool",
  "mirror/docker.io/library/old:1.0": "old",
  "mirror/ghcr.io/org/nested:latest": "nested",
} as const;

function writeBundle(home: Home, layout: Layout, recipe: Recipe = {}): void {
  const made = makeBundle({ entries: layout.entries(), ...recipe });
  writeFiles(join(home.path, "in"), made.files);
  writeFiles(home.path, { "signer.pub": made.key.publicPem });
}

function load(home: Home, host: string, ...more: string[]) {
  return home.json([
    "load",
    "in",
    "--to",
    `oci://${host}/mirror`,
    "--trust",
    "signer.pub",
    ...more,
  ]);
}

const accept = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

async function digestAt(host: string, name: string): Promise<string | null> {
  const [, repository, reference] = /^(.+?)[:@]((?:sha256:)?[^:]+)$/.exec(name) ?? [];
  const url = `http://${host}/v2/${repository}/manifests/${reference}`;
  const answer = await fetch(url, { headers: { accept } });
  await answer.body?.cancel();
  return answer.ok ? answer.headers.get("docker-content-digest") : null;
}

/** Pulls all objects of an image, as a client would. @returns the number of objects */
async function pullAll(host: string, repository: string, { digest }: { digest: string }) {
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${digest}`, {
    headers: { accept },
  });
  assert.equal(answer.status, 200, `${repository}@${digest}`);
  const manifest = await answer.json();
  let count = 1;
  for (const child of manifest.manifests ?? []) count += await pullAll(host, repository, child);
  for (const blob of [manifest.config ?? [], manifest.layers ?? []].flat()) {
    const found = await fetch(`http://${host}/v2/${repository}/blobs/${blob.digest}`);
    assert.equal(found.status, 200, `${repository}: ${blob.digest}`);
    assert.equal((await found.arrayBuffer()).byteLength, blob.size);
    count++;
  }
  return count;
}

async function assertLoaded(host: string, images: ReturnType<typeof someImages>) {
  for (const [name, which] of Object.entries(tops)) {
    assert.equal(await digestAt(host, name), images[which].digest, name);
    await pullAll(host, name.slice(0, name.lastIndexOf(":")), images[which]);
  }
  const web = "mirror/docker.io/library/web";
  const legacy = `${web}:${images.web.digest.replace(":", "-")}.sig`;
  assert.equal(await digestAt(host, legacy), images.tagged.digest);
  for (const one of [images.sbom, images.signature]) await pullAll(host, web, one);
}

type Kind = "docker-registry" | "referrers";

function withRegistry(kind: Kind, body: (registry: DockerRegistry) => Promise<void>) {
  return kind === "docker-registry"
    ? withDockerRegistry(body)
    : withServed(body, ({ host, dir }) => [peer("referrers")!, host, dir]);
}

const recipes: Record<string, Recipe> = {
  "a plain archive": {},
  "a compressed archive": { compression: "zstd" },
  "a directory": { layout: "directory" },
};

for (const kind of ["docker-registry", "referrers"] as const) {
  const needs = kind === "docker-registry" ? [kind] : { others: havePeers(kind) };
  for (const [form, recipe] of Object.entries(recipes)) {
    Deno.test(
      requiring(
        needs,
        `${kind} takes all images of ${form}, with their referrers`,
        () =>
          withHome((home) =>
            withRegistry(kind, async ({ host }) => {
              const images = someImages();
              writeBundle(home, images.layout, recipe);
              const first = await load(home, host);
              assert.equal(first.exit, 0, JSON.stringify(first));
              assert.deepEqual(
                first.images.map((one: { result: string }) => one.result),
                Array(6).fill("loaded"),
              );
              await assertLoaded(host, images);
              for (
                const [subject, referrer] of [[images.web, images.sbom], [
                  images.sbom,
                  images.signature,
                ]]
              ) {
                const found = await referrersAt(
                  host,
                  kind,
                  "mirror/docker.io/library/web",
                  subject!,
                );
                assert.deepEqual(found, [referrer!.digest]);
              }
              const again = await load(home, host, "--recheck");
              assert.equal(again.exit, 0, JSON.stringify(again));
              assert.deepEqual(again.blobs, { sent: 0, mounted: 0, existed: 25 });
              const results = again.images.map((one: { result: string }) => one.result);
              assert.deepEqual([again.manifests, results], [0, Array(6).fill("unchanged")]);
            })
          ),
      ),
    );
  }
}

async function referrersAt(host: string, kind: Kind, repository: string, of: LayoutDescriptor) {
  const path = kind === "referrers"
    ? `referrers/${of.digest}`
    : `manifests/${of.digest.replace(":", "-")}`;
  const answer = await fetch(`http://${host}/v2/${repository}/${path}`, { headers: { accept } });
  const { manifests } = await answer.json();
  // go-containerregistry sets the media type of the configuration.
  const type = kind === "referrers" ? ociConfig : sbomType;
  for (const { artifactType } of manifests) assert.equal(artifactType, type);
  return manifests.map(({ digest }: LayoutDescriptor) => digest);
}

/** Two images, of which one layer is large; `v1` and `v2` are their tags. */
function twoImages() {
  const layout = new Layout();
  const layer = layout.layer("large", 100_000);
  const one = layout.image({ seed: "one", layers: [layer] });
  const two = layout.image({ seed: "two" });
  layout.name(one, "registry.example/one:v1");
  layout.name(two, "registry.example/two:v2");
  return { layout, layer, one, two };
}

type Images = ReturnType<typeof twoImages>;

async function withTwo(
  body: (home: Home, registry: FakeRegistry, images: Images) => Promise<void>,
  recipe: Recipe = {},
): Promise<void> {
  const registry = await new FakeRegistry().start();
  try {
    await withHome(async (home) => {
      const images = twoImages();
      writeBundle(home, images.layout, recipe);
      await body(home, registry, images);
    });
  } finally {
    await registry.stop();
  }
}

/** `result name` of each image. */
function resultsOf({ images }: { images: { name: string; result: string }[] }): string[] {
  return images.map(({ name, result }) => `${result} ${name}`);
}

/** Changes a byte of the first layer in the archive. */
function flip(home: Home, { layer, layout }: Images): void {
  const path = join(home.path, "in/p.tar");
  const bytes = readFileSync(path);
  const at = bytes.indexOf(layout.blobs.get(layer.digest)!) + 99_000;
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

Deno.test("a flipped byte is found while its layer is sent, and no tag is set", () =>
  withTwo(async (home, registry, images) => {
    flip(home, images);
    const { exit, findings, ...result } = await load(home, registry.host);
    assert.deepEqual([exit, findings[0].reason, findings[0].path], [
      7,
      "digest_mismatch",
      pathOf(images.layer.digest),
    ]);
    const expected = ["incomplete registry.example/one:v1", "pending registry.example/two:v2"];
    assert.deepEqual(resultsOf(result), expected);
    assert.deepEqual(assertPullable(registry), []);
    assert.ok(!registry.blobs.has(images.layer.digest));
  }));

Deno.test("--partial sets the tags of complete images, and the next load the others", () =>
  withTwo(async (home, registry, images) => {
    const intact = readFileSync(join(home.path, "in/p.tar"));
    flip(home, images);
    const first = await load(home, registry.host, "--partial");
    assert.equal(first.exit, 7);
    const expected = ["incomplete registry.example/one:v1", "loaded registry.example/two:v2"];
    assert.deepEqual(resultsOf(first), expected);
    assert.deepEqual(assertPullable(registry), ["v2"]);
    writeFileSync(join(home.path, "in/p.tar"), intact);
    const second = await load(home, registry.host, "--partial");
    assert.deepEqual(resultsOf(second), [
      "loaded registry.example/one:v1",
      "unchanged registry.example/two:v2",
    ]);
    assert.deepEqual(assertPullable(registry), ["v1", "v2"]);
  }));

Deno.test("a bundle by an unknown signer is refused before the registry is contacted", () =>
  withTwo(async (home, registry) => {
    const { exit, verdict } = await home.json(["load", "in", "--to", `oci://${registry.host}/m`]);
    assert.deepEqual([exit, verdict, registry.log], [5, "refused", []]);
  }));

Deno.test("a changed index is refused before the registry is contacted", () =>
  withTwo(async (home, registry) => {
    const path = join(home.path, "in/SHA256SUMS");
    writeFileSync(path, readFileSync(path, "utf8").replace("oci-layout", "oci-lay0ut"));
    const { exit, error } = await load(home, registry.host);
    assert.deepEqual([exit, error.reason, registry.log], [7, "digest_mismatch", []]);
  }));

Deno.test("--dry-run reports what would be sent and sends nothing", () =>
  withTwo(async (home, registry, images) => {
    const first = await load(home, registry.host, "--dry-run");
    assert.equal(first.exit, 0, JSON.stringify(first));
    assert.deepEqual([first.blobs.sent, first.bytes > images.layer.size], [4, true]);
    assert.ok(resultsOf(first).every((one) => one.startsWith("new ")));
    assert.deepEqual(registry.log.filter((line) => !line.startsWith("HEAD ")), []);
    assert.equal((await load(home, registry.host)).exit, 0);
    const later = await load(home, registry.host, "--dry-run");
    assert.deepEqual([later.blobs.sent, later.bytes], [0, 0]);
    assert.ok(resultsOf(later).every((one) => one.startsWith("unchanged ")));
  }));

Deno.test("a loaded bundle is remembered, and an older one is refused before the registry is contacted", () =>
  withTwo(async (home, registry, { layout }) => {
    const numbered = (sequence: number) => {
      Deno.removeSync(join(home.path, "in"), { recursive: true });
      writeBundle(home, layout, { manifest: (manifest) => void (manifest.sequence = sequence) });
    };
    numbered(2);
    assert.equal((await load(home, registry.host, "--dry-run")).exit, 0);
    assert.deepEqual((await home.json(["trust", "seen"])).seen, []);
    const first = await load(home, registry.host);
    assert.deepEqual([first.exit, first.rollback], [0, { judged: false }]);
    numbered(1);
    registry.log.length = 0;
    const { exit, findings, rollback } = await load(home, registry.host);
    assert.deepEqual([exit, findings[0].reason, registry.log], [11, "rollback", []]);
    assert.deepEqual(rollback, { judged: true, lastSequence: 2 });
    const accepted = await load(home, registry.host, "--accept-sequence", "1");
    assert.deepEqual([accepted.exit, accepted.rollback.accepted], [0, true]);
  }));

Deno.test("--only loads the images whose names match, with --map and --flatten in force", () =>
  withTwo(async (home, registry) => {
    const words = [
      "--only",
      "registry.example/t*",
      "--map",
      "registry.example=own/of",
      "--flatten",
    ];
    const { exit, images } = await load(home, registry.host, ...words);
    assert.equal(exit, 0);
    const targets = images.map(({ target }: { target: string }) => target);
    assert.deepEqual(targets, [`${registry.host}/mirror/own-of-two:v2`]);
    assert.deepEqual(assertPullable(registry), ["v2"]);
    const none = await load(home, registry.host, "--only", "nothing/*");
    assert.deepEqual([none.exit, none.error.reason], [2, "argument_invalid"]);
  }));

Deno.test("a protected tag is accepted if it is already correct and reported if it is not", () =>
  withTwo(async (home, registry, { one, two }) => {
    assert.equal((await load(home, registry.host)).exit, 0);
    registry.fault(/^PUT .*manifests\/v\d$/, status(409));
    const quiet = await load(home, registry.host);
    assert.deepEqual([quiet.exit, registry.hits], [0, 0]);
    registry.manifests.set("v1", registry.manifests.get(two.digest)!);
    const { exit, findings, ...result } = await load(home, registry.host);
    assert.deepEqual([exit, registry.hits], [13, 1]);
    assert.deepEqual(resultsOf(result), [
      "refused registry.example/one:v1",
      "unchanged registry.example/two:v2",
    ]);
    const [{ path, found, expected }] = findings;
    assert.equal(path, "mirror/registry.example/one:v1");
    assert.match(found, new RegExp(`^the tag refers to ${two.digest}; `));
    assert.equal(expected, one.digest);
  }));

Deno.test("two images with the same name are refused before the registry is contacted", () =>
  withTwo(async (home, registry, { layout }) => {
    layout.name(layout.image({ seed: "other" }), "registry.example/three:v1");
    writeBundle(home, layout);
    const maps = ["one", "three"].flatMap((name) => ["--map", `registry.example/${name}=same`]);
    const { exit, findings } = await load(home, registry.host, ...maps);
    assert.deepEqual([exit, findings.length, registry.log], [2, 1, []]);
    assert.match(findings[0].found, /would have the same name, "mirror\/same:v1"/);
  }));

Deno.test("the receipt lists what was loaded and where", () =>
  withTwo(async (home, registry, { one }) => {
    assert.equal((await load(home, registry.host, "--receipt", "r.json")).exit, 0);
    const { predicate } = JSON.parse(readFileSync(join(home.path, "r.json"), "utf8"));
    assert.equal(predicate.verificationResult, "PASSED");
    const [loaded] = predicate["urn:stella:receipt:v1"].loaded;
    assert.deepEqual([loaded.digest, loaded.target], [
      one.digest,
      `${registry.host}/mirror/registry.example/one:v1`,
    ]);
  }));

Deno.test("after kill -9 at any request no tag is incomplete, and the same command completes the load", () =>
  withTwo(async (home, registry) => {
    const to = `oci://${registry.host}/mirror`;
    const points = isLong ? 20 : 5;
    for (let point = 0; point < points; point++) {
      registry.blobs.clear();
      registry.manifests.clear();
      let requests = 0;
      const [command, ...words] = programWords();
      const child = new Deno.Command(command, {
        args: [...words, "load", "in", "--to", to, "--trust", "signer.pub"],
        cwd: home.path,
        env: home.environment(),
        clearEnv: true,
        stdout: "null",
        stderr: "null",
      }).spawn();
      registry.guard = (_, response) => {
        if (requests++ < point * (isLong ? 1 : 4)) return true;
        child.kill("SIGKILL");
        response.destroy();
        return false;
      };
      assert.equal((await child.status).signal, "SIGKILL");
      registry.guard = undefined;
      assertPullable(registry);
      assert.equal((await load(home, registry.host)).exit, 0);
      assert.deepEqual(assertPullable(registry), ["v1", "v2"]);
    }
  }));

/** Two images with layers of their own, on an archive of several volumes; images.json has sizes. */
function writeVolumes(home: Home): { volumes: string[]; tags: string[] } {
  const layout = new Layout();
  const tags = ["v1", "v2", "v3"];
  const images = tags.map((tag) => {
    const image = layout.image({ seed: tag, layers: [layout.layer(tag, 3_000_000)] });
    layout.name(image, `registry.example/app:${tag}`);
    return { tag, image };
  });
  const digests = [...layout.blobs.keys()].sort();
  const document = encodeImages({
    schemaVersion: 1,
    images: images.map(({ tag, image: { digest, mediaType } }) => ({
      name: `registry.example/app:${tag}`,
      registry: "registry.example",
      repository: "app",
      tag,
      digest,
      mediaType,
      platforms: [],
      referrers: [],
      blobs: [digests.indexOf(digest)],
    })),
    blobs: digests.map((digest) => ({ digest, size: layout.blobs.get(digest)!.length })),
  });
  const made = makeBundle({
    entries: layout.entries(),
    chunksPerVolume: 1,
    documents: { "images.json": document },
  });
  writeFiles(join(home.path, "in"), made.files);
  writeFiles(home.path, { "signer.pub": made.key.publicPem });
  return { volumes: [...made.files.keys()].filter((path) => path.includes(".tar.")), tags };
}

Deno.test("with volumes on several sticks, a missing stick leaves no incomplete image, and all sticks load everything", () =>
  withHome(async (home) => {
    const registry = await new FakeRegistry().start();
    try {
      const { volumes, tags } = writeVolumes(home);
      assert.equal(volumes.length, 3);
      for (const volume of volumes) {
        mkdirSync(join(home.path, volume));
        renameSync(join(home.path, "in", volume), join(home.path, volume, volume));
      }
      const [a = "", b = "", c = ""] = volumes;
      const of = (...some: string[]) => some.flatMap((volume) => ["--volumes", volume]);
      for (const there of [of(b, c), of(a, c), of(b, a)]) {
        const { exit, findings } = await load(home, registry.host, "--partial", ...there);
        assert.deepEqual([exit, findings[0].reason], [10, "volume_missing"]);
        assertPullable(registry);
      }
      const sent = registry.received;
      const all = await load(home, registry.host, ...of(c, a, b));
      assert.equal(all.exit, 0, JSON.stringify(all.findings));
      assert.deepEqual(assertPullable(registry), tags);
      assert.equal(registry.received - sent, all.bytes);
    } finally {
      await registry.stop();
    }
  }));

Deno.test(requiring(
  ["docker-registry", "skopeo"],
  "with the files of --configs skopeo reads the original names from the mirror",
  () =>
    withHome((home) =>
      withDockerRegistry(async ({ host }) => {
        const images = someImages();
        writeBundle(home, images.layout);
        const first = await load(home, host, "--configs", "configs");
        assert.equal(first.exit, 0, JSON.stringify(first));
        const name = "registries.conf.d/50-stella.conf";
        assert.ok(first.files.includes(`configs/containers/${name}`));
        mkdirSync(join(home.path, ".config/containers/registries.conf.d"), { recursive: true });
        cpSync(
          join(home.path, "configs/containers", name),
          join(home.path, ".config/containers", name),
        );
        const { digest } = images.web;
        for (const reference of ["docker.io/library/web:1.0", `docker.io/library/web@${digest}`]) {
          const child = new Deno.Command(tool("skopeo")!, {
            args: ["inspect", "--raw", `docker://${reference}`],
            env: home.environment(),
            clearEnv: true,
          });
          const { stdout, stderr } = await child.output();
          const said = new TextDecoder().decode(stderr);
          assert.equal(`sha256:${sha256(stdout)}`, digest, said);
        }
        assert.equal((await load(home, host, "--configs", "configs")).exit, 0);
        writeFileSync(join(home.path, "configs/k3s/registries.yaml"), "mine\n");
        const refused = await load(home, host, "--configs", "configs");
        assert.deepEqual([refused.exit, refused.error.reason], [14, "output_exists"]);
      })
    ),
));

const containerd = tool("containerd") !== undefined && Deno.uid() === 0;

Deno.test(requiring(
  { tools: ["docker-registry"], others: { "containerd, as root": containerd } },
  "with the files of --configs containerd fetches the original names from the mirror",
  () =>
    withHome((home) =>
      withDockerRegistry(async ({ host }) => {
        const images = someImages();
        writeBundle(home, images.layout);
        assert.equal((await load(home, host, "--configs", "configs")).exit, 0);
        await withContainerd(home, async (ctr) => {
          const hosts = join(home.path, "configs/containerd/certs.d");
          const { digest } = images.web;
          for (
            const reference of ["docker.io/library/web:1.0", `docker.io/library/web@${digest}`]
          ) {
            const words = ["--hosts-dir", hosts, "--all-platforms", reference];
            assert.match(await ctr("content", "fetch", ...words), /done/);
            assert.match(await ctr("images", "list"), new RegExp(`${reference} .* ${digest} `));
          }
        });
      })
    ),
));

/** Runs `body` with a separate containerd. */
async function withContainerd(
  home: Home,
  body: (ctr: (...words: string[]) => Promise<string>) => Promise<void>,
): Promise<void> {
  const [root, state, address] = ["root", "state", "sock"].map((name) => join(home.path, name));
  writeFileSync(
    join(home.path, "containerd.toml"),
    `version = 2
root = "${root}"
state = "${state}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${address}"
`,
  );
  const daemon = new Deno.Command(tool("containerd")!, {
    args: ["--config", join(home.path, "containerd.toml")],
    stderr: "piped",
  }).spawn();
  const lines = daemon.stderr.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let said = "";
    while (!said.includes("successfully booted")) {
      const { value, done } = await lines.read();
      if (done) throw new Error(`containerd ended: ${said}`);
      said += value;
    }
    await body(async (...words) => {
      const args = ["--address", address!, ...words];
      const { stdout, stderr, success } = await new Deno.Command(tool("ctr")!, { args }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    });
  } finally {
    daemon.kill("SIGTERM");
    void (async () => {
      while (!(await lines.read()).done);
    })();
    await daemon.status;
  }
}
