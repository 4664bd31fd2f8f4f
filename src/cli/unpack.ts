/**
 * `stella export bundle unpack`: the payload is written while it is verified, and gets its names when all of it is right. Of what
 * verification gives up only writing is kept.
 */
import { StellaError } from "../domain/errors.ts";
import type { Manifest } from "../bundle/manifest.ts";
import { escaped, shown } from "../domain/names.ts";
import { type BundleSource, type ByteReader, withOpen } from "../bundle/source.ts";
import type { Unsynced } from "../output/sync_queue.ts";
import { type FreeSpace, freeSpaceAt } from "../output/free_space.ts";
import { refuseNonEmpty, Unpacked } from "../output/unpacked.ts";
import type { Verdict } from "../verify/verdict.ts";
import { interrupted } from "./breathe.ts";
import { type BundlePlace, openPlace } from "./bundle_place.ts";
import type { Host } from "./host.ts";
import { judgePlace, type Look, type VerifyOptions } from "./judge.ts";
import type { Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import { verdictJson, verdictText } from "./render.ts";
import { volumeStates, volumesText } from "./volumes.ts";

export interface UnpackOptions extends VerifyOptions {
  manifest: string;
  to: string;
}

export async function unpackCommand(options: UnpackOptions, host: Host): Promise<Result> {
  if (options.manifest.startsWith("oci:")) throw notInRegistry(options.manifest);
  const place = openPlace(options.manifest, options, host);
  refuseNonEmpty(options.to);
  const room = freeSpaceAt(options.to);
  const line = new ProgressLine(host, options.quiet === true || options.json === true);
  let unpacked: Unpacked | undefined;
  let manifest: Manifest | undefined;
  const look: Look = {
    // What is refused already is not written: a stranger's bundle would only fill the disk.
    begin: (read, isRefused) => {
      manifest = read;
      if (!isRefused) unpacked = begin(read, options.to, room, line, host);
    },
    onFile: (file) => unpacked?.begin(file),
    progress: (done, total) => {
      if (unpacked === undefined) line.update("verify", done, total);
    },
  };
  const source = noFaster(place.source, () => unpacked);
  try {
    const verdict = await judgePlace({ ...place, source }, options, host, look, ["write"]);
    if (verdict.ok) await commit(unpacked!, host);
    line.end();
    return resultOf(verdict, options.to, volumesOf(manifest, verdict, place));
  } finally {
    line.end();
    unpacked?.close();
  }
}

type Volumes = ReturnType<typeof volumeStates>;

function volumesOf(
  manifest: Manifest | undefined,
  verdict: Verdict,
  place: BundlePlace,
): Volumes {
  return manifest === undefined ? undefined : volumeStates(manifest, verdict, place);
}

function resultOf(verdict: Verdict, directory: string, volumes: Volumes): Result {
  const outcome = verdict.ok
    ? `  unpacked to ${escaped(directory)}\n`
    : "  Nothing was unpacked.\n";
  return {
    code: verdict.code,
    json: {
      ...verdictJson(verdict),
      ...(volumes === undefined ? {} : { volumes }),
      files: verdict.ok ? [directory] : [],
    },
    text: verdictText(verdict) + volumesText(volumes ?? []) + outcome,
  };
}

/** A disk that hangs must not keep the program from being interrupted. */
async function commit(unpacked: Unpacked, { stop }: Host): Promise<void> {
  const stopped = Promise.withResolvers<never>();
  const onStop = () => stopped.reject(interrupted());
  stop.addEventListener("abort", onStop);
  if (stop.aborted) onStop();
  try {
    await Promise.race([unpacked.synced(), stopped.promise]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
  unpacked.commit();
}

/** The same bundle, read no faster than the disk takes what comes out of it. */
function noFaster(source: BundleSource, target: () => Unpacked | undefined): BundleSource {
  const read = (reader: ByteReader, buffer: Uint8Array) => {
    const unpacked = target();
    if (unpacked === undefined || unpacked.isReady) return reader.read(buffer);
    return unpacked.ready().then(() => reader.read(buffer));
  };
  return withOpen(source, async (path) => {
    const reader = await source.open(path);
    return reader &&
      { size: reader.size, close: () => reader.close(), read: (buffer) => read(reader, buffer) };
  });
}

/** To make a file and to sync it takes a disk as long as to write some bytes more. */
const bytesOfFile = 16 * 1024;

function begin(
  { payload: { files, bytes } }: Manifest,
  directory: string,
  room: FreeSpace | undefined,
  line: ProgressLine,
  host: Host,
): Unpacked {
  refuseTooSmall(directory, { files, bytes }, room);
  return new Unpacked({
    directory,
    uuid: host.uuid(),
    files,
    bytes,
    isVolatile: room?.isVolatile === true,
    onSynced: showSynced(line, { files, bytes }),
  });
}

/** Shows as done what is on the disk, which is what the time that is left depends on. */
export function showSynced(
  line: ProgressLine,
  { files, bytes }: { files: number; bytes: number },
): (synced: Unsynced) => void {
  let [doneFiles, doneBytes] = [0, 0];
  line.update("unpack", 0, bytes, 0);
  return (synced) => {
    doneBytes += synced.bytes;
    if (synced.kind === "file") doneFiles++;
    const share = (doneBytes + doneFiles * bytesOfFile) / (bytes + files * bytesOfFile);
    line.update("unpack", doneBytes, bytes, share);
  };
}

function refuseTooSmall(
  directory: string,
  { files, bytes }: { files: number; bytes: number },
  room: FreeSpace | undefined,
): void {
  const found = room !== undefined && bytes > room.bytes
    ? `the payload has ${bytes} bytes and ${room.bytes} are free`
    : room?.files !== undefined && files > room.files
    ? `the payload has ${files} files and it can hold ${room.files} more`
    : undefined;
  if (found === undefined) return;
  throw new StellaError("media", `Cannot unpack into ${shown(directory)}: ${found}`, {
    hint: "free space on the target, or choose another one; nothing was written",
  });
}

function notInRegistry(reference: string): StellaError {
  return new StellaError("usage", `Cannot unpack ${shown(reference)}: it lies in a registry`, {
    hint: "pull it first: stella pull REF --to DIR",
  });
}
