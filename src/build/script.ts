/** dist/stella.js: the whole program in one file, part of every form of the binary. */
import { bundle } from "./bundle.ts";
import { readStamp, type Stamp, stampLine } from "./stamp.ts";

export interface Script {
  path: string;
  stamp: Stamp;
}

/**
 * Bundles `entry` to `directory`/stella.js after the stamp. The same files give the same bytes and
 * mtime (the commit's), in any directory and on every run: `deno compile` embeds the mtime.
 * @throws StellaError defect with Deno's message if the bundler fails; it downloads esbuild from
 * the npm registry once
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
    await Deno.writeTextFile(partial, stampLine(stamp) + await bundle(root, entry, directory));
    await setTime(partial, stamp);
    await Deno.rename(partial, path);
  } finally {
    await Deno.remove(partial).catch(() => {});
  }
  return { path, stamp };
}

/** Sets the mtime of a built file to the commit's time. */
export async function setTime(path: string, stamp: Stamp): Promise<void> {
  const time = new Date(stamp.date);
  await Deno.utime(path, time, time);
}
