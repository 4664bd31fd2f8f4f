/**
 * Where the files of a run may not lie: in the bundle that it makes, which is carried away, and in what it packs, where the next
 * bundle would hold the report of this one.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import type { RunFileOptions } from "./run_files.ts";

/** Where an export puts its manifest unless it is told otherwise. */
export const defaultManifest = "out/manifest.json";

/** Before the files are opened. @throws StellaError usage */
export function refuseInBundle(options: RunFileOptions): void {
  const directory = dirname(options.manifest ?? defaultManifest);
  refuse(options, directory, `it lies in the directory of the bundle, ${shown(directory)}`);
}

/** `sources` are what is packed. @throws StellaError usage */
export function refuseInSources(options: RunFileOptions, sources: readonly string[]): void {
  for (const source of sources) {
    refuse(options, source, `it lies in what is exported, ${shown(source)}`);
  }
}

function refuse({ metricsTextfile, report }: RunFileOptions, place: string, why: string): void {
  const root = realPath(place);
  for (const file of [metricsTextfile, report]) {
    if (file === undefined) continue;
    const real = realPath(file);
    if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) continue;
    throw new StellaError("usage", `Cannot write ${shown(file)}: ${why}`, {
      hint: "a bundle holds no report of its own making: choose a place outside",
    });
  }
}

/** The real path of the nearest ancestor that exists, and what follows it. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realPath(above), basename(path));
  }
}
