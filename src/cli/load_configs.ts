/** Files of `stella load --configs DIR`: those of an earlier load are replaced, others are not. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { shown } from "../domain/names.ts";
import { readRegular } from "../domain/regular_file.ts";
import type { NamedImage } from "../images/image_set.ts";
import {
  configHeader,
  hostsWithoutToml,
  mirrorConfigs,
  type MirrorTarget,
} from "../images/mirror_configs.ts";
import { regularFileAt, replaceFile } from "../output/named_file.ts";
import type { Host } from "./host.ts";

const maxBytes = 16 * 1024 * 1024;

export interface LoadConfigs {
  /** Hosts for which containerd cannot use the mirror. */
  readonly withoutHostsToml: readonly string[];
  /** @returns the paths */
  write(): string[];
}

/** Writes nothing yet. @throws StellaError conflict if another program's file is in the way */
export function openConfigs(
  directory: string,
  images: readonly NamedImage[],
  repositories: ReadonlyMap<string, string>,
  target: MirrorTarget,
  { uuid }: Pick<Host, "uuid">,
): LoadConfigs {
  const files = mirrorConfigs(images, repositories, target);
  for (const name of files.keys()) refuseOther(join(directory, name));
  return {
    withoutHostsToml: hostsWithoutToml(images, repositories),
    write: () =>
      [...files].map(([name, text]) => {
        const path = join(directory, name);
        const folder = dirname(path);
        tryIo("Cannot make", folder, () => mkdirSync(folder, { recursive: true }));
        replaceFile(path, new TextEncoder().encode(text), 0o644, uuid());
        return path;
      }),
  };
}

function refuseOther(path: string): void {
  if (regularFileAt(path) === undefined) return;
  const text = new TextDecoder().decode(readRegular("Cannot read", path, maxBytes));
  if (text.startsWith(configHeader)) return;
  const what = `Cannot write ${shown(path)}: the file is not of an earlier load`;
  throw new StellaError("output_exists", what, { hint: "name a new directory" });
}
