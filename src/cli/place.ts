/** PLACE: manifest.json, its directory, a mounted stick, a registry, or standard input. */
import { existsSync, readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { manifestName } from "../bundle/manifest.ts";
import { shown } from "../domain/names.ts";
import { directorySource, maxDirectoryBytes } from "../bundle/source.ts";
import { MultiDirectorySource } from "../bundle/multi_directory_source.ts";
import { type Pull, StreamSource } from "../bundle/stream_source.ts";
import { StellaError } from "../domain/errors.ts";
import { ioReason, tryIo } from "../domain/io_errors.ts";
import { interrupted, throttledYielder } from "./event_loop.ts";
import type { Host } from "./host.ts";
import type { OpenBundle, Place, PlaceFlags } from "./open_bundle.ts";
import { isRegistry } from "./options.ts";

/** What stands for standard input. */
const standardInput = "-";

/** The bundle at `named`. @param action such as "unpack" @throws StellaError if it is several */
export async function placeAt(
  action: string,
  named: string,
  options: PlaceFlags,
  host: Host,
): Promise<Place> {
  const [first, ...more] = await placesAt(named, options, host);
  if (first !== undefined && more.length === 0) return first;
  const names = [first, ...more].map((one) => shown(one?.name ?? ""));
  const found = `it holds ${names.length} bundles: ${names.join(", ")}`;
  throw new StellaError("place_ambiguous", `Cannot ${action} ${shown(named)}: ${found}`, {
    hint: "name one of them",
  });
}

/**
 * The bundles at `named`: several if a medium has a directory for each. A directory without a
 * manifest is not refused here: that is code 3. @throws StellaError io, usage
 */
export async function placesAt(named: string, options: PlaceFlags, host: Host): Promise<Place[]> {
  const { volumes = [] } = options;
  if (named === standardInput || isRegistry(named)) {
    if (volumes.length > 0) throw noVolumes(named);
    if (named === standardInput) return [streamPlace(named, host)];
    const { registryPlace } = await import("./registry_place.ts");
    return [await registryPlace(named, options, host)];
  }
  const directories = bundlesIn(bundleDirectory(named));
  for (const path of volumes) directoryAt("Cannot look for volumes in", path);
  return directories.map((directory) => directoryPlace(directory, volumes, host));
}

function directoryPlace(directory: string, volumes: readonly string[], host: Host): Place {
  const directories = [directory, ...volumes];
  const open = (): OpenBundle => {
    if (volumes.length === 0) return { source: directorySource(directory) };
    const source = new MultiDirectorySource(directories, throttledYielder(host));
    const { foundIn: found, badCopies } = source;
    return { source, onManifest: (manifest) => source.expect(manifest), found, badCopies };
  };
  return { name: directory, directories, needs: [], open };
}

function streamPlace(name: string, host: Host): Place {
  const open = (): OpenBundle => {
    const source = new StreamSource("standard input", pullFrom(host));
    return { source, remainingFindings: (manifest) => source.finish(manifest) };
  };
  return { name, directories: [], needs: [], open };
}

/** The directory of a manifest, given as a file or directory. @throws StellaError io, usage */
function bundleDirectory(path: string): string {
  const action = "Cannot read a bundle at";
  const found = statAt(action, path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return path;
  if (basename(path) === manifestName) return directoryAt(action, dirname(path));
  if (found === undefined) return directoryAt(action, path);
  const what = `${action} ${shown(path)}: neither a directory nor a ${manifestName}`;
  throw new StellaError("argument_invalid", what, {
    hint: "name the manifest.json of the bundle, or the directory that holds it",
  });
}

/** The directory itself if it has a manifest or no bundle is below it, otherwise each one below. */
function bundlesIn(directory: string): string[] {
  if (existsSync(join(directory, manifestName))) return [directory];
  const below = foldersOf(directory).map((name) => join(directory, name))
    .filter((path) => existsSync(join(path, manifestName)));
  return below.length === 0 ? [directory] : below;
}

function foldersOf(path: string): string[] {
  const action = "Cannot list";
  if ((statAt(action, path)?.size ?? 0) > maxDirectoryBytes) throw crowded(path);
  return tryIo(action, path, () => readdirSync(path, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
}

function crowded(path: string): StellaError {
  const text = `Cannot look for a bundle in ${shown(path)}: the directory has too many files`;
  return new StellaError("place_ambiguous", text, { hint: "name the directory of the bundle" });
}

/** @throws StellaError io */
function statAt(
  action: string,
  path: string,
  options: { throwIfNoEntry?: false } = {},
): Stats | undefined {
  return tryIo(action, path, () => statSync(path, options));
}

/** @throws StellaError io if it is not there, usage if it is not a directory */
function directoryAt(action: string, path: string): string {
  if (statAt(action, path)?.isDirectory()) return path;
  throw new StellaError("path_unusable", `${action} ${shown(path)}: it is not a directory`);
}

function noVolumes(named: string): StellaError {
  const where = named === standardInput ? "from standard input" : "in a registry";
  return new StellaError("options_conflict", `Cannot look for volumes of a bundle ${where}`, {
    hint: "leave --volumes out: all of them come with the bundle",
  });
}

/** Waiting for an idle pipe can be interrupted. */
function pullFrom({ stdin, stop }: Host): Pull {
  return (buffer) =>
    new Promise((resolve, reject) => {
      const onStop = () => reject(interrupted());
      if (stop.aborted) return onStop();
      stop.addEventListener("abort", onStop);
      stdin(buffer).then(resolve, (error) => reject(failed(error)))
        .finally(() => stop.removeEventListener("abort", onStop));
    });
}

function failed(cause: unknown): StellaError {
  const text = `Cannot read standard input: ${ioReason(cause)}`;
  return new StellaError("stream_failed", text, { cause, hint: "send the stream again" });
}
