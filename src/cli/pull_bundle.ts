/**
 * `stella pull`: a bundle comes out of a registry or from a service, is verified on its way, and
 * gets its names when it is right.
 */
import { escaped } from "../domain/names.ts";
import type { BundleSource } from "../bundle/source.ts";
import { freeSpaceAt } from "../output/free_space.ts";
import { PulledBundle } from "../output/pulled.ts";
import type { Kept } from "../verify/confine.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Host } from "./host.ts";
import type { Look, VerifyOptions } from "./judge.ts";
import type { CommonOptions, Result } from "./program.ts";
import { verdictJson, verdictText } from "./render.ts";

export interface PullOptions extends CommonOptions, VerifyOptions {
  to: string;
  force?: boolean;
  tokenFile?: string;
  insecureHttp?: boolean;
}

/** Of what verification gives up these are kept. */
export const keptByPull: readonly Kept[] = ["net", "write"];

/** Judges a bundle that is read by way of what `through` makes of it. */
type Judge = (through: (bundle: BundleSource) => BundleSource, look: Look) => Promise<Verdict>;

export async function pullBundleCommand(
  options: PullOptions,
  host: Host,
  args: string[],
): Promise<Result> {
  const ref = args[0]!;
  const { verdict, files } = await pullInto(options, host, await judgeOf(ref, options, host));
  const where = verdict.ok ? `  pulled to ${escaped(options.to)}\n` : "  Nothing was kept.\n";
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), files },
    text: verdictText(verdict) + where,
  };
}

async function judgeOf(ref: string, options: PullOptions, host: Host): Promise<Judge> {
  if (/^https?:/.test(ref)) {
    const { judgeExport, parseExportUrl } = await import("./pull_service.ts");
    const target = parseExportUrl(ref);
    return (through, look) => judgeExport(target, options, host, keptByPull, through, look);
  }
  const { judgeThrough } = await import("./verify_registry.ts");
  return (through, look) => judgeThrough(ref, options, host, keptByPull, through, look);
}

/**
 * The verdict, and the names of what was kept: nothing where it is not good.
 * @throws StellaError
 */
export async function pullInto(
  { to, force = false }: Pick<PullOptions, "to" | "force">,
  host: Host,
  judge: Judge,
): Promise<{ verdict: Verdict; files: string[] }> {
  const place = { directory: to, force, uuid: host.uuid(), room: freeSpaceAt(to) };
  let pulled: PulledBundle | undefined;
  const through = (bundle: BundleSource) => pulled = new PulledBundle(bundle, place);
  const look: Look = { begin: (manifest, isRefused) => pulled?.begin(manifest, isRefused) };
  try {
    const verdict = await judge(through, look);
    return { verdict, files: verdict.ok ? pulled?.commit() ?? [] : [] };
  } finally {
    pulled?.close();
  }
}
