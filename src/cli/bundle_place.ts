/** Where a command line says that a bundle is: a directory, a directory and sticks with its volumes, or standard input. */
import { type Stats, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { errnoOf, type Finding, ioError, ioReason, StellaError } from "../domain/errors.ts";
import { type Manifest, manifestName } from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { type BundleSource, directorySource } from "../bundle/source.ts";
import { MultiDirectorySource } from "../bundle/multi_directory_source.ts";
import { type Pull, StreamSource } from "../bundle/stream_source.ts";
import { breatheSeldom, interrupted } from "./breathe.ts";
import type { Host } from "./host.ts";

export interface BundlePlace {
  source: BundleSource;
  /** Directories that came with the bundle: no trust is taken from them. */
  directories: readonly string[];
  /** What is wrong with the place itself; to be asked after the content was judged. */
  rest?: (manifest: Manifest) => Promise<Finding[]>;
  /** Told the manifest before the files that it lists are opened. */
  expect?: (manifest: Manifest) => void;
  /**
   * In which directory each file was found, and which copies of it were passed over; where there
   * are several directories.
   */
  found?: ReadonlyMap<string, string>;
  badCopies?: ReadonlyMap<string, readonly string[]>;
}

/** What stands for standard input. */
export const pipe = "-";

/** What `--manifest` and `--volumes` name; `-` is standard input. @throws StellaError usage */
export function openPlace(named: string, options: { volumes?: string[] }, host: Host): BundlePlace {
  const directory = named === pipe ? pipe : bundleDirectory(named);
  return placeOf(directory, options.volumes, host);
}

/**
 * The directory that holds the manifest which `--manifest` names, by file or by directory. Whether
 * the manifest is there is not asked here: a directory without one is code 3.
 * @throws StellaError media where the directory is not there, usage where a file of another name
 * was named
 */
export function bundleDirectory(path: string): string {
  const found = statOf(path);
  if (found?.isDirectory()) return path;
  if (basename(path) === manifestName) return existing(dirname(path));
  if (found === undefined) return existing(path);
  throw new StellaError(
    "usage",
    `Cannot read a bundle at ${shown(path)}: it is not a directory, nor called ${manifestName}`,
    { hint: "name the manifest.json of the bundle, or the directory that holds it" },
  );
}

/** Undefined where nothing has this name; links are followed. @throws StellaError media */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw ioError("Cannot read a bundle at", path, error);
  }
}

/** @throws StellaError media where it is no directory */
function existing(directory: string): string {
  try {
    if (statSync(directory).isDirectory()) return directory;
  } catch (error) {
    throw ioError("Cannot read a bundle at", directory, error);
  }
  throw new StellaError("media", `Cannot read a bundle at ${shown(directory)}: it is a file`);
}

/** @param directory of the manifest, or `-` @throws StellaError usage */
export function placeOf(
  directory: string,
  volumes: readonly string[] | undefined,
  host: Host,
): BundlePlace {
  if (directory === pipe) {
    if (volumes !== undefined) throw noVolumes();
    const source = new StreamSource("standard input", pullFrom(host));
    return { source, directories: [], rest: (manifest) => source.finish(manifest) };
  }
  if (volumes === undefined) {
    return { source: directorySource(directory), directories: [directory] };
  }
  volumes.forEach(refuseAbsent);
  const directories = [directory, ...volumes];
  const source = new MultiDirectorySource(directories, breatheSeldom(host));
  const { foundIn: found, badCopies } = source;
  return { source, directories, expect: (read) => source.expect(read), found, badCopies };
}

function noVolumes(): StellaError {
  return new StellaError("usage", "Cannot look for volumes of a bundle from standard input", {
    hint: "the stream holds them all: leave --volumes out",
  });
}

function refuseAbsent(directory: string): void {
  const action = "Cannot look for volumes in";
  try {
    if (statSync(directory).isDirectory()) return;
  } catch (error) {
    throw ioError(action, directory, error);
  }
  throw new StellaError("media", `${action} ${shown(directory)}: it is not a directory`);
}

/** Who waits for a pipe that gives nothing has to be able to interrupt it. */
function pullFrom(host: Host): Pull {
  return (buffer) =>
    new Promise((resolve, reject) => {
      const stop = () => reject(interrupted());
      if (host.stop.aborted) return stop();
      host.stop.addEventListener("abort", stop);
      host.stdin(buffer).then(resolve, (error) => reject(failed(error)))
        .finally(() => host.stop.removeEventListener("abort", stop));
    });
}

function failed(cause: unknown): StellaError {
  const text = `Cannot read standard input: ${ioReason(cause)}`;
  return new StellaError("media", text, { cause, hint: "send the stream again" });
}
