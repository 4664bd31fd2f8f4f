/**
 * Third-party programs without a Debian package: `deno task peers [NAME ...]` builds them into
 * dist/peers/ with Go, each at its pinned version. Without one, the tests that need it are skipped.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { root } from "../support/program.ts";

const folder = join(root, "dist/peers");

/**
 * What Go builds: `.` is the module in tests/e2e/referrers, what the others need in turn is pinned
 * by their own go.sum.
 */
const modules = {
  crane: "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
  cosign: "github.com/sigstore/cosign/v3/cmd/cosign@v3.0.4",
  oras: "oras.land/oras/cmd/oras@v1.3.6",
  referrers: ".",
};
export type Peer = keyof typeof modules;

/**
 * The path of a peer: what STELLA_COSIGN (or ..._ORAS, ..._REFERRERS) names, else one on the PATH,
 * else the one that was built.
 */
export function peer(name: Peer): string | undefined {
  const named = Deno.env.get(`STELLA_${name.toUpperCase()}`);
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), folder];
  return named ?? folders.map((one) => join(one, name)).find((path) => existsSync(path));
}

/** As an optional need of a test. */
export function havePeers(...names: Peer[]): Record<string, boolean> {
  return Object.fromEntries(names.map((name) => [name, peer(name) !== undefined]));
}

async function build(name: Peer): Promise<boolean> {
  const go = tool("go") ?? ["/usr/local/go/bin/go", "/usr/lib/go/bin/go"].find(existsSync);
  if (go === undefined) throw new Error(`There is no Go here to build ${name}: install go`);
  const env = { GOBIN: folder, CGO_ENABLED: "0" };
  const cwd = join(root, "tests/e2e/referrers");
  const child = new Deno.Command(go, { args: ["install", modules[name]], env, cwd }).spawn();
  return (await child.status).success;
}

if (import.meta.main) {
  const names = Object.keys(modules).filter((name): name is Peer =>
    Deno.args.length === 0 || Deno.args.includes(name)
  );
  const failed: Peer[] = [];
  for (const name of names) if (!await build(name)) failed.push(name);
  if (failed.length > 0) {
    throw new Error(`Not built: ${failed.join(", ")}: modules have to be in Go's cache or proxy`);
  }
}
