/** Files beside a built program: its digest, which `stella version --check` reads, and its SBOM. */
import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";
import { renderSbom, type Runtime } from "../assets/sbom.ts";
import { version } from "../domain/version.ts";
import { setTime } from "./script.ts";
import type { Stamp } from "./stamp.ts";

/**
 * Writes `stella.sha256`, readable by `sha256sum -c`, and `stella.cdx.json`, byte for byte the SBOM
 * that the program contains and the profile kit packs.
 * @param path of the program
 * @param runtime the part of Deno in the program, which may differ from the builder's
 * @param root of the sources, with deno.lock
 */
export async function writeBeside(
  path: string,
  runtime: Runtime,
  root: string,
  stamp: Stamp,
): Promise<void> {
  const name = basename(path);
  const digest = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  const lock = await Deno.readTextFile(`${root}/deno.lock`);
  const built = { version, commit: stamp.commit, runtime };
  await write(`${path}.sha256`, `${digest}  ${name}\n`, stamp);
  await write(`${dirname(path)}/stella.cdx.json`, renderSbom(lock, built), stamp);
}

async function write(path: string, text: string, stamp: Stamp): Promise<void> {
  await Deno.writeTextFile(path, text);
  await setTime(path, stamp);
}
