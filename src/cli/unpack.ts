/** `stella unpack`: the payload is written while it is verified, and named once it is right. */
import type { Manifest } from "../bundle/manifest.ts";
import { stateDirectory } from "../config/paths.ts";
import { escaped } from "../domain/names.ts";
import { type BundleSource, withRead } from "../bundle/source.ts";
import type { Unsynced } from "../output/sync_queue.ts";
import { type FreeSpace, freeSpaceAt, refuseNoSpace } from "../output/free_space.ts";
import { refuseNonEmpty, Unpacked } from "../output/unpacked.ts";
import type { Result } from "./command.ts";
import { interrupted } from "./event_loop.ts";
import type { Host } from "./host.ts";
import { placeAt } from "./place.ts";
import { ProgressLine } from "./progress.ts";
import { rememberBundle } from "./seen.ts";
import { resultOf, type VerifyFlags, type VerifyHooks, verifyPlace } from "./verify.ts";

export async function unpackBundle(
  named: string,
  options: VerifyFlags & { to: string },
  host: Host,
): Promise<Result> {
  const { to } = options;
  const place = await placeAt("unpack", named, options, host);
  refuseNonEmpty(to);
  const state = stateDirectory(host.environment);
  const space = freeSpaceAt(to);
  const line = new ProgressLine(host, options.quiet === true || options.json === true);
  let unpacked: Unpacked | undefined;
  const hooks: VerifyHooks = {
    through: (source) => backpressured(source, () => unpacked),
    // A bundle that is already refused is not written: it would only fill the disk.
    begin: (manifest, isRefused) => {
      if (!isRefused) unpacked = startUnpack(manifest, to, space, line, host);
    },
    onFile: (file) => unpacked?.begin(file),
    progress: (done, total) => {
      if (unpacked === undefined) line.update("verify", done, total);
    },
  };
  try {
    const verified = await verifyPlace(place, options, host, hooks, ["write"]);
    const { ok } = verified.verdict;
    if (ok && unpacked !== undefined) {
      await synced(unpacked, host);
      // Before the files get their names: where this fails nothing was unpacked, and where the
      // program is killed after it, the same bundle can be unpacked again.
      await rememberBundle(verified, options, state, host);
      unpacked.commit();
    }
    line.end();
    const text = ok ? `  unpacked to ${escaped(to)}\n` : "  Nothing was unpacked.\n";
    return resultOf(verified, host, { files: ok ? [to] : [], text });
  } finally {
    line.end();
    unpacked?.close();
  }
}

/** A disk that hangs must not keep the program from being interrupted. */
async function synced(unpacked: Unpacked, { stop }: Host): Promise<void> {
  const stopped = Promise.withResolvers<never>();
  const onStop = () => stopped.reject(interrupted());
  stop.addEventListener("abort", onStop);
  if (stop.aborted) onStop();
  try {
    await Promise.race([unpacked.synced(), stopped.promise]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

/** The same bundle, read no faster than the disk takes what comes out of it. */
function backpressured(source: BundleSource, target: () => Unpacked | undefined): BundleSource {
  return withRead(source, (reader, buffer) => {
    const unpacked = target();
    if (unpacked === undefined || unpacked.isReady) return reader.read(buffer);
    return unpacked.ready().then(() => reader.read(buffer));
  });
}

/** To make a file and to sync it takes a disk as long as to write some bytes more. */
const bytesOfFile = 16 * 1024;

function startUnpack(
  { payload: { files, bytes } }: Manifest,
  directory: string,
  space: FreeSpace | undefined,
  line: ProgressLine,
  host: Host,
): Unpacked {
  const what = "the payload";
  refuseNoSpace("Cannot unpack into", directory, space, { what, bytes, fileCount: files });
  return new Unpacked({
    directory,
    uuid: host.uuid(),
    files,
    bytes,
    isVolatile: space?.isVolatile === true,
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
