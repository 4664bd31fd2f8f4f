/** dist/stella.js: the whole program in one file, which every form of the binary carries. */
import { StellaError } from "../errors.ts";
import { run } from "./run.ts";
import { readStamp, type Stamp, stampLine } from "./stamp.ts";

export interface Script {
  path: string;
  stamp: Stamp;
}

/**
 * Bundles `entry` into `directory`/stella.js behind the stamp. The same files give the same bytes and the same mtime (the
 * commit's), in any directory and on every run: `deno compile` embeds the mtime.
 * @throws StellaError internal, with Deno's words, where the bundler fails; it takes esbuild from the npm registry once
 */
export async function buildScript(
  root: string,
  directory: string,
  entry = "main.ts",
): Promise<Script> {
  const stamp = await readStamp(root);
  await Deno.mkdir(directory, { recursive: true });
  const [path, partial] = [`${directory}/stella.js`, `${directory}/.stella.js.partial`];
  try {
    await bundle(root, entry, partial);
    await Deno.writeTextFile(partial, stampLine(stamp) + await Deno.readTextFile(partial));
    await setTime(partial, stamp);
    await Deno.rename(partial, path);
  } finally {
    await Deno.remove(partial).catch(() => {});
  }
  return { path, stamp };
}

/** Gives a built file the commit's time. */
export async function setTime(path: string, stamp: Stamp): Promise<void> {
  const time = new Date(stamp.date);
  await Deno.utime(path, time, time);
}

async function bundle(root: string, entry: string, output: string): Promise<void> {
  // Without code splitting a dynamic import becomes a part of the one file too, still run when it is asked for.
  const args = ["bundle", "--quiet", "--platform", "deno", "--minify", "--frozen"];
  const { code, stderr } = await run(Deno.execPath(), [...args, "--output", output, entry], {
    cwd: root,
  });
  if (code === 0) return;
  throw new StellaError("internal", `Cannot bundle ${entry}: ${stderr.trim()}`, {
    hint: "deno check main.ts says more about faults in the sources",
  });
}
