/** `stella export bundle pull`: a bundle comes out of a registry, is verified on its way, and gets its names when it is right. */
import type { Host } from "./host.ts";
import { PulledBundle } from "../export/pulled.ts";
import type { CommonOptions, Result } from "./program.ts";
import { verdictJson, verdictText } from "./render.ts";
import type { VerifyOptions } from "./judge.ts";
import { judgeThrough } from "./verify_registry.ts";

export async function pullBundleCommand(
  options: CommonOptions & VerifyOptions & { to: string; force?: boolean },
  host: Host,
  args: string[],
): Promise<Result> {
  let pulled: PulledBundle | undefined;
  try {
    const verdict = await judgeThrough(args[0]!, options, host, ["net", "write"], (bundle) => {
      const place = { directory: options.to, force: options.force === true, uuid: host.uuid() };
      return pulled = new PulledBundle(bundle, place);
    });
    const files = verdict.ok ? pulled!.commit() : [];
    const where = verdict.ok ? `  pulled to ${options.to}\n` : "  Nothing was kept.\n";
    return {
      code: verdict.code,
      json: { ...verdictJson(verdict), files },
      text: verdictText(verdict) + where,
    };
  } finally {
    pulled?.close();
  }
}
