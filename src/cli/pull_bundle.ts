/** `stella export bundle pull`: a bundle comes out of a registry, is verified on its way, and gets its names when it is right. */
import { escaped } from "../bundle/names.ts";
import type { BundleSource } from "../bundle/source.ts";
import { roomAt } from "../export/preflight.ts";
import { PulledBundle } from "../export/pulled.ts";
import type { Host } from "./host.ts";
import type { Look, VerifyOptions } from "./judge.ts";
import type { CommonOptions, Result } from "./program.ts";
import { verdictJson, verdictText } from "./render.ts";
import { judgeThrough } from "./verify_registry.ts";

export async function pullBundleCommand(
  options: CommonOptions & VerifyOptions & { to: string; force?: boolean },
  host: Host,
  args: string[],
): Promise<Result> {
  let pulled: PulledBundle | undefined;
  const { to, force = false } = options;
  const place = { directory: to, force, uuid: host.uuid(), room: roomAt(to) };
  const through = (bundle: BundleSource) => pulled = new PulledBundle(bundle, place);
  const look: Look = { begin: (manifest, isRefused) => pulled?.begin(manifest, isRefused) };
  try {
    const verdict = await judgeThrough(args[0]!, options, host, ["net", "write"], through, look);
    const files = verdict.ok ? pulled!.commit() : [];
    const where = verdict.ok ? `  pulled to ${escaped(to)}\n` : "  Nothing was kept.\n";
    return {
      code: verdict.code,
      json: { ...verdictJson(verdict), files },
      text: verdictText(verdict) + where,
    };
  } finally {
    pulled?.close();
  }
}
