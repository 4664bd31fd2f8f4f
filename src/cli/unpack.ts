/**
 * `stella export bundle unpack`: the payload is written while it is verified, and gets its names when all of it is right. Of what
 * verification gives up only writing is kept.
 */
import { StellaError } from "../errors.ts";
import type { Manifest } from "../bundle/manifest.ts";
import { escaped, shown } from "../bundle/names.ts";
import { type Room, roomAt } from "../export/preflight.ts";
import { refuseFilled, Unpacked } from "../export/unpacked.ts";
import type { Host } from "./host.ts";
import type { Result } from "./program.ts";
import { verdictJson, verdictText } from "./render.ts";
import { openPlace } from "./bundle_place.ts";
import { judgePlace, type Look, type VerifyOptions } from "./judge.ts";

export interface UnpackOptions extends VerifyOptions {
  manifest: string;
  to: string;
}

export async function unpackCommand(options: UnpackOptions, host: Host): Promise<Result> {
  if (options.manifest.startsWith("oci:")) throw notInRegistry(options.manifest);
  const place = openPlace(options.manifest, options, host);
  refuseFilled(options.to);
  const room = roomAt(options.to);
  let unpacked: Unpacked | undefined;
  const look: Look = {
    // What is refused already is not written: a stranger's bundle would only fill the disk.
    begin: (manifest, isRefused) => {
      if (!isRefused) unpacked = begin(manifest, options.to, room, host);
    },
    tap: (file) => unpacked?.begin(file),
  };
  try {
    const verdict = await judgePlace(place, options, host, look, ["write"]);
    if (verdict.ok) unpacked!.commit();
    const outcome = verdict.ok
      ? `  unpacked to ${escaped(options.to)}\n`
      : "  Nothing was unpacked.\n";
    return {
      code: verdict.code,
      json: { ...verdictJson(verdict), files: verdict.ok ? [options.to] : [] },
      text: verdictText(verdict) + outcome,
    };
  } finally {
    unpacked?.close();
  }
}

function begin(
  { payload }: Manifest,
  directory: string,
  room: Room | undefined,
  host: Host,
): Unpacked {
  if (room !== undefined && payload.bytes > room.bytes) {
    const found = `the payload has ${payload.bytes} bytes and ${room.bytes} are free`;
    throw new StellaError("media", `Cannot unpack into ${shown(directory)}: ${found}`, {
      hint: "free space on the target, or choose another one; nothing was written",
    });
  }
  return new Unpacked({ directory, uuid: host.uuid(), files: payload.files });
}

function notInRegistry(reference: string): StellaError {
  return new StellaError("usage", `Cannot unpack ${shown(reference)}: it lies in a registry`, {
    hint: "pull it first: stella export bundle pull REF --to DIR",
  });
}
