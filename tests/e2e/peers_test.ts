/**
 * A registry with the referrers API (go-containerregistry's; Debian's docker-registry has none),
 * and oras, which reads what stella pushed: names, digests and referrers follow the specification.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Home, type Ran } from "../support/program.ts";
import {
  type DockerRegistry,
  withDockerRegistry,
  withServed,
} from "../support/registry/docker_registry.ts";
import { requiring } from "../support/needs.ts";
import { havePeers, type Peer, peer } from "./peers.ts";

const kinds = ["docker-registry", "referrers"] as const;

interface Scene {
  home: Home;
  kind: typeof kinds[number];
  /** `127.0.0.1:PORT`. */
  host: string;
  /** `HOST/REPOSITORY`, which holds the bundle of out/ as `v1`. */
  image: string;
  pushed: { digest: string };
  oras(...args: string[]): Promise<Ran>;
}

function peerTest(name: string, peers: Peer[], body: (scene: Scene) => Promise<void>): void {
  for (const kind of kinds) {
    const run = ({ host }: DockerRegistry) => withPushed(host, kind, body);
    const needs = kind === "referrers"
      ? { others: havePeers(...peers, kind) }
      : { tools: [kind], others: havePeers(...peers) };
    Deno.test(requiring(
      needs,
      `${kind}: ${name}`,
      () => kind === "referrers" ? withReferrers(run) : withDockerRegistry(run),
    ));
  }
}

function withReferrers(body: (registry: DockerRegistry) => Promise<void>): Promise<void> {
  return withServed(body, ({ host, dir }) => [peer("referrers")!, host, dir]);
}

async function withPushed(
  host: string,
  kind: Scene["kind"],
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const home = new Home();
  const image = `${host}/exports/kit`;
  const oras = async (...args: string[]) => {
    const options = { args, cwd: home.path, env: { HOME: home.path }, clearEnv: true };
    const { code, stdout, stderr } = await new Deno.Command(peer("oras")!, options).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  };
  try {
    await home.succeed(["export", "bundle", "--profile", "kit", "--manifest", "out/manifest.json"]);
    const push = ["export", "bundle", "push", "--manifest", "out", `oci://${image}:v1`];
    const { pushed } = await home.json(push);
    await body({ home, kind, host, image, pushed, oras });
  } finally {
    home.remove();
  }
}

peerTest(
  "a bundle is verified in place and pulled, and a second push sends nothing",
  [],
  async (scene) => {
    const { home, image, kind, host, pushed } = scene;
    await home.succeed(["verify", `oci://${image}:v1`]);
    await home.succeed(["export", "bundle", "pull", `oci://${image}:v1`, "--to", "in"]);
    for (const name of readdirSync(join(home.path, "out"))) {
      const [sent, came] = ["out", "in"].map((dir) => readFileSync(join(home.path, dir, name)));
      assert.deepEqual(came, sent, name);
    }
    const push = ["export", "bundle", "push", "--manifest", "out", `oci://${image}:v2`];
    assert.equal((await home.json(push)).pushed.digest, pushed.digest);
    const list = await (await fetch(`http://${host}/v2/exports/kit/tags/list`)).json();
    const fallback = pushed.digest.replace(":", "-");
    assert.deepEqual(
      list.tags.toSorted(),
      kind === "referrers" ? ["v1", "v2"] : [fallback, "v1", "v2"],
      "the fallback tag is only for a registry without the referrers API",
    );
  },
);

peerTest(
  "oras pulls the files by name and discovers the attestation",
  ["oras"],
  async (scene) => {
    const { home, kind, image, oras } = scene;
    const pulled = await oras("pull", "--plain-http", "-o", "in", `${image}:v1`);
    assert.equal(pulled.code, 0, pulled.stderr);
    const found = await oras("discover", "--plain-http", "--format", "json", `${image}:v1`);
    assert.equal(found.code, 0, found.stderr);
    const { referrers } = JSON.parse(found.stdout);
    assert.equal(referrers.length, 1);
    const [{ artifactType, digest }] = referrers;
    // This registry gives the type of the config instead, which is the empty one.
    const type = kind === "referrers" ? "oci.empty.v1" : "dev.sigstore.bundle.v0.3";
    assert.equal(artifactType, `application/vnd.${type}+json`);
    const proof = await oras("pull", "--plain-http", "-o", "in", `${image}@${digest}`);
    assert.equal(proof.code, 0, proof.stderr);
    const names = readdirSync(join(home.path, "in"));
    const [name] = names.filter((one) => /^sha256-[0-9a-f]{64}\.sigstore\.json$/.test(one));
    renameSync(join(home.path, "in", name!), join(home.path, "in/manifest.json.sigstore.json"));
    await home.succeed(["verify", "in"]);
  },
);

peerTest("a copy made by oras is verified in its new repository", ["oras"], async (scene) => {
  const { home, host, image, pushed, oras } = scene;
  const copy = await oras(
    ...["cp", "-r", "--from-plain-http", "--to-plain-http"],
    ...[`${image}:v1`, `${host}/copied/kit:v1`],
  );
  assert.equal(copy.code, 0, copy.stderr);
  await home.succeed(["verify", `oci://${host}/copied/kit:v1`]);
  const head = await fetch(`http://${host}/v2/copied/kit/manifests/v1`, {
    method: "HEAD",
    headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
  });
  assert.equal(head.headers.get("docker-content-digest"), pushed.digest);
});
