/**
 * Bundles the sources by Deno's own bundler in two passes: the first splits the program at its
 * dynamic imports, the second makes each piece a function body, for lazy.ts to store as text.
 */
import { basename } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { chunkName, joinChunks, renamed, stableNames } from "./lazy.ts";
import { run } from "./run.ts";

/**
 * The whole program as one module.
 * @param entry relative to `root`; it may import the rest of the program only dynamically
 * @param directory for intermediate files, which are removed
 * @throws StellaError defect with Deno's message if the bundler fails; it downloads esbuild from
 * the npm registry once
 */
export async function bundle(root: string, entry: string, directory: string): Promise<string> {
  const between = await Deno.makeTempDir({ dir: directory, prefix: ".bundle-" });
  try {
    const [split, whole, bodies] = [`${between}/split`, `${between}/whole`, `${between}/bodies`];
    await bundler(root, entry, ["--frozen", "--code-splitting", "--outdir", split, entry]);
    const door = basename(entry).replace(/\.ts$/, ".js");
    const textOf = (name: string) => Deno.readTextFileSync(`${split}/${name}`);
    const texts = new Map([...Deno.readDirSync(split)].map(({ name }) => [name, textOf(name)]));
    const names = stableNames(texts, door);
    const files = [...names.values()];
    await Deno.mkdir(whole);
    for (const [old, name] of [[door, door] as const, ...names]) {
      await Deno.writeTextFile(`${whole}/${name}`, renamed(texts.get(old)!, names));
    }
    if (files.length > 0) await bundler(whole, entry, [...bodyOptions, bodies, ...files]);
    const bodyOf = (name: string) => Deno.readTextFileSync(`${bodies}/${name}`);
    const chunks = files.map((name) => [chunkName(name), bodyOf(name)] as const);
    return joinChunks(await Deno.readTextFile(`${whole}/${door}`), chunks);
  } finally {
    await Deno.remove(between, { recursive: true });
  }
}

const bodyOptions = ["--no-config", "--no-lock", "--format=cjs", "--external=chunk:*", "--outdir"];

async function bundler(cwd: string, entry: string, options: string[]): Promise<void> {
  const args = ["bundle", "--quiet", "--platform", "deno", "--minify", ...options];
  const { code, stderr } = await run(Deno.execPath(), args, { cwd });
  if (code === 0) return;
  throw new StellaError("build_failed", `Cannot bundle ${entry}: ${stderr.trim()}`, {
    hint: "deno check main.ts says more about faults in the sources",
  });
}
