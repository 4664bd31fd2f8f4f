/**
 * Push, pull and verification in place beside skopeo, in turns against docker-registry with TLS.
 * Both move the very same blobs.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { Authority } from "../support/registry/authority.ts";
import { withDockerRegistry } from "../support/registry/docker_registry.ts";
import { type Measurement, type Runs, say } from "./measure.ts";

interface RegistryWork {
  name: string;
  ours(stella: string, host: string): string[];
  theirs(host: string): string[];
  goal: number;
}

/** Measures the rows that `isChosen` accepts. @param input makes a directory to pack */
export async function measureRegistry(
  bench: Measurement,
  input: () => string,
  isChosen: (name: string) => boolean,
): Promise<void> {
  if (!["push 1 GiB", "pull 1 GiB", "verify 1 GiB in the registry"].some(isChosen)) return;
  const skopeo = tool("skopeo");
  if (skopeo === undefined || tool("docker-registry") === undefined) {
    return say("| push, pull, verify in the registry | not measured: no skopeo, docker-registry |");
  }
  // What the registry keeps has to lie on the tmpfs too.
  Deno.env.set("TMPDIR", bench.place);
  const folder = join(bench.place, "registry");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const inside = (name: string) => join(folder, name);
  const authority = new Authority();
  const withRegistry = <T>(body: (host: string) => Promise<T> | T) =>
    served(authority, folder, body);
  const ca = ["--quiet", "--ca", authority.path];
  const at = (host: string) => `oci://${host}/bench/bundle:v1`;
  const copy = [skopeo, "copy", "--quiet", "--insecure-policy"];
  const trusting = (side: "src" | "dest") => [`--${side}-cert-dir`, inside("certificates")];
  const image = (host: string) => `docker://${host}/bench/bundle:v1`;
  const command = (stella: string, ...words: string[]) => [stella, "export", "bundle", ...words];
  const push: RegistryWork = {
    name: "push 1 GiB",
    ours: (stella, host) => command(stella, "push", "--manifest", inside("out"), at(host), ...ca),
    theirs: (host) => [...copy, ...trusting("dest"), `dir:${inside("kept")}`, image(host)],
    goal: 0.9,
  };
  const theirs = (
    host: string,
  ) => [...copy, ...trusting("src"), image(host), `dir:${inside("copied")}`];
  const reads: RegistryWork[] = [
    {
      name: "pull 1 GiB",
      ours: (stella, host) => command(stella, "pull", at(host), "--to", inside("pulled"), ...ca),
      theirs,
      goal: 0.9,
    },
    {
      name: "verify 1 GiB in the registry",
      ours: (stella, host) => [stella, "verify", at(host), ...ca],
      theirs,
      goal: 0.9,
    },
  ];
  const clear = () =>
    ["pulled", "copied"].forEach((name) => rmSync(inside(name), { recursive: true, force: true }));

  /** As `Measurement.measure`; a push needs a new registry each time, because both remember. */
  const measure = async (work: RegistryWork, host?: string) => {
    const sides = [
      ["new", (host: string) => work.ours(bench.binary, host)] as const,
      ...(bench.base === undefined
        ? []
        : [["base", (host: string) => work.ours(bench.base!, host)] as const]),
      ["peer", work.theirs] as const,
    ];
    const runs: Runs = { new: [], base: [], peer: [] };
    for (let turn = -1; turn < bench.pairs; turn++) {
      for (const [side, words] of turn % 2 === 0 ? sides : sides.toReversed()) {
        clear();
        const once = (host: string) => bench.run(words(host));
        const ran = host === undefined ? await withRegistry(once) : once(host);
        if (turn >= 0) runs[side].push(ran);
      }
    }
    const { name, goal } = work;
    bench.keep({ name, goal, peer: "skopeo copy" }, runs);
  };

  try {
    mkdirSync(inside("certificates"));
    writeFileSync(join(inside("certificates"), "ca.crt"), readFileSync(authority.path));
    const first = bench.base ?? bench.binary;
    const made = ["--profile", "bench", "--compression", "none", "--input", input()];
    bench.run(command(first, ...made, "--manifest", join(inside("out"), "manifest.json")));
    await withRegistry((host) => {
      bench.run(push.ours(first, host));
      bench.run(theirs(host));
    });
    renameSync(inside("copied"), inside("kept"));
    if (isChosen(push.name)) await measure(push);
    await withRegistry(async (host) => {
      // Not by skopeo, which leaves the attestation behind.
      bench.run(push.ours(first, host));
      for (const work of reads.filter(({ name }) => isChosen(name))) await measure(work, host);
    });
  } finally {
    authority.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A new registry with a certificate of `authority`, on a port of its own. */
async function served<T>(
  authority: Authority,
  folder: string,
  body: (host: string) => Promise<T> | T,
): Promise<T> {
  const { key, cert } = authority.issue("IP:127.0.0.1", 2);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return JSON.stringify(join(folder, name));
  };
  const tls = `, tls: {certificate: ${write("r.pem", cert)}, key: ${write("r.key", key)}}`;
  let result: T;
  await withDockerRegistry(async ({ host }) => void (result = await body(host)), { http: tls });
  return result!;
}
