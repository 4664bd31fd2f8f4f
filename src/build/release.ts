/**
 * `deno task release`: every form of the binary that this machine can build, with SBOM and
 * provenance, as a signed stella bundle in the layout `directory`. One commit, Deno, compiler and
 * Ed25519 key give the same bytes.
 */
import { relative } from "node:path";
import { renderSbom } from "../assets/sbom.ts";
import { StellaError } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { version } from "../domain/version.ts";
import { writeBeside } from "./beside.ts";
import { compile } from "./compile.ts";
import { buildPortable } from "./portable.ts";
import { run } from "./run.ts";
import { buildScript, type Script } from "./script.ts";
import { readStamp, type Stamp } from "./stamp.ts";

export interface ReleaseOptions {
  /** Private key that signs; absent: the key of this machine. */
  key?: string;
  /** Directory of the bundle; the public key is written to `OUT.pub`, which is not part of it. */
  out: string;
  /** Accepts files that differ from the commit. */
  draft: boolean;
  say: (text: string) => void;
}

const forms = [
  { form: "portable", runtime: "deno", make: buildPortable },
  {
    form: "compiled",
    runtime: "denort",
    make: async (script: Script, directory: string) => (await compile(script, directory)).path,
  },
] as const;

/**
 * @param root of the sources @param scratch existing directory for what is built
 * @returns the directory of the bundle, which the built program has verified
 * @throws StellaError argument_invalid if files differ from the commit, build_failed
 */
export async function release(
  root: string,
  scratch: string,
  { key, out, draft, say }: ReleaseOptions,
): Promise<string> {
  const stamp = await readStamp(root);
  if (stamp.modified && !draft) {
    throw new StellaError("argument_invalid", "Cannot release: files differ from the commit", {
      hint: "commit them, or try the release with --draft",
    });
  }
  const work = await Deno.makeTempDir({ dir: scratch, prefix: ".release-" });
  try {
    const payload = `${work}/payload`;
    const script = await buildScript(root, work);
    const programs = await buildForms(root, script, payload, say);
    await describe(root, script, payload, programs);
    const signing = key === undefined ? [] : ["--key", key];
    const output = ["--layout", "directory", "--manifest", `${out}/manifest.json`, "--force"];
    // Another machine must be able to make the same release, and knows no sequence of this one.
    output.push("--sequence", "none");
    const made = ["export", "bundle", "--profile", "stella", "--input", payload, ...output];
    await stella(programs[0], [...made, ...signing], stamp);
    const shown = await stella(programs[0], ["keys", "show", "--public", ...signing], stamp);
    await Deno.writeTextFile(`${out}.pub`, shown);
    say(await stella(programs[0], ["verify", out, "--trust", `${out}.pub`], stamp));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return out;
}

/** @returns the paths of the programs; a form that cannot be built here is named and left out */
async function buildForms(
  root: string,
  script: Script,
  payload: string,
  say: ReleaseOptions["say"],
): Promise<[string, ...string[]]> {
  const programs: string[] = [];
  for (const { form, runtime, make } of forms) {
    const directory = `${payload}/${form}-${Deno.build.target}`;
    await Deno.mkdir(directory, { recursive: true });
    try {
      const path = await make(script, directory);
      await writeBeside(path, { name: runtime, version: Deno.version.deno }, root, script.stamp);
      programs.push(path);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      await Deno.remove(directory, { recursive: true });
      say(`not part of this release: the ${form} form (${error.message})\n`);
    }
  }
  const [first, ...others] = programs;
  if (first !== undefined) return [first, ...others];
  throw new StellaError("build_failed", "Cannot release: no form of the binary can be built here");
}

/** The platform or a tool is not suitable, which is no defect of the sources. */
function isUnavailable(error: unknown): error is StellaError {
  return error instanceof StellaError &&
    ["toolchain_missing", "argument_invalid"].includes(error.reason);
}

/** Writes `sbom.cdx.json` and `provenance.json`: how the programs were built, and from what. */
async function describe(
  root: string,
  { path, stamp }: Script,
  payload: string,
  programs: readonly string[],
): Promise<void> {
  const sources = await sourcesOf(root);
  const runtime = { name: "deno", version: Deno.version.deno } as const;
  const lock = await Deno.readTextFile(`${root}/deno.lock`);
  const sbom = JSON.parse(renderSbom(lock, { version, commit: stamp.commit, runtime }));
  sbom.components.push(...sources.map(({ name, digest }) => ({
    type: "file",
    "bom-ref": name,
    name,
    hashes: [{ alg: "SHA-256", content: digest.sha256 }],
  })));
  const provenance = {
    _type: "https://in-toto.io/Statement/v1",
    subject: await Promise.all(programs.map((program) => resource(payload, program))),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "urn:stella:release:v1",
        externalParameters: { version, commit: stamp.commit, modified: stamp.modified },
        internalParameters: {},
        resolvedDependencies: [
          { name: "source", digest: { gitCommit: stamp.commit } },
          await resource(root, `${root}/deno.lock`),
          {
            name: "deno",
            uri: `pkg:github/denoland/deno@v${runtime.version}`,
            digest: { sha256: sha256(await Deno.readFile(Deno.execPath())) },
          },
        ],
      },
      runDetails: {
        builder: { id: "urn:stella:build", version: { deno: runtime.version } },
        byproducts: [{ ...await resource(root, path), name: "stella.js" }],
      },
    },
  };
  for (const [name, document] of Object.entries({ sbom, provenance })) {
    const file = name === "sbom" ? "sbom.cdx.json" : "provenance.json";
    await Deno.writeTextFile(`${payload}/${file}`, `${JSON.stringify(document, null, 2)}\n`);
  }
}

/** A file as in-toto describes one, named by its path below `directory`. */
async function resource(directory: string, path: string) {
  const digest = { sha256: sha256(await Deno.readFile(path)) };
  return { name: relative(directory, path), digest };
}

/** The files of this repository that are part of the program, sorted. */
async function sourcesOf(root: string) {
  const { code, stdout, stderr } = await run(Deno.execPath(), ["info", "--json", "main.ts"], {
    cwd: root,
  });
  if (code !== 0) {
    throw new StellaError("build_failed", `Cannot list the sources: ${stderr.trim()}`);
  }
  const { modules }: { modules: { specifier: string }[] } = JSON.parse(stdout);
  const own = modules.map(({ specifier }) => specifier)
    .filter((specifier) => specifier.startsWith("file:") && !specifier.includes("/node_modules/"))
    .map((specifier) => new URL(specifier).pathname);
  return await Promise.all(own.toSorted().map((path) => resource(root, path)));
}

async function stella(program: string, args: string[], { date }: Stamp): Promise<string> {
  const env = { SOURCE_DATE_EPOCH: String(Date.parse(date) / 1000) };
  const { code, stdout, stderr } = await run(program, args, { env });
  if (code === 0) return stdout;
  throw new StellaError("build_failed", `Cannot release: ${stderr.trim() || stdout.trim()}`);
}
