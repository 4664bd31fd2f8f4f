/** `stella export bundle push`, and `--push` of an export. The reference that a person types is the permission to go there. */
import { StellaError } from "../errors.ts";
import type { EgressPolicy } from "../config/egress.ts";
import { refuseHostileEnvironment } from "../config/hostile_environment.ts";
import { openRegistry } from "../registry/open.ts";
import { pushBundle, type PushReport } from "../registry/push.ts";
import { endpointOf, parseReference } from "../registry/reference.ts";
import { systemTiming } from "../registry/retry.ts";
import { sitePolicy } from "./egress.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import { sizeText } from "./render.ts";
import { bundleDirectory } from "./verify_bundle.ts";

export interface PushFlags {
  plainHttp?: boolean;
  ca?: string;
  credentials?: string;
}

export async function pushBundleCommand(
  options: CommonOptions & PushFlags & { manifest: string },
  host: Host,
  args: string[],
): Promise<Result> {
  const { json, text } = await pushTo(bundleDirectory(options.manifest), args[0]!, options, host);
  return { code: 0, json: { ok: true, code: 0, findings: [], files: [], pushed: json }, text };
}

/** Pushes the bundle in `directory`; the result as JSON and as text. @throws StellaError usage, registry */
export async function pushTo(
  directory: string,
  ref: string,
  flags: PushFlags & CommonOptions,
  host: Host,
): Promise<{ json: PushReport; text: string }> {
  refuseHostileEnvironment(host.environment);
  const reference = parseReference(ref);
  if (reference.digest !== undefined) {
    throw new StellaError("usage", "Cannot push to a digest: it follows from the bundle", {
      hint: "give a tag, as in oci://HOST/REPOSITORY:TAG, or none",
    });
  }
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  const report = await pushBundle({
    client: clientFor(reference, flags, await sitePolicy(flags, host)),
    dir: directory,
    repository: reference.repository,
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
    progress: (done, total) => line.update("push", done, total),
    signal: host.stop,
  }).finally(() => line.end());
  return {
    json: report,
    text: pushedText(`${reference.authority}/${reference.repository}`, report),
  };
}

function clientFor(
  reference: ReturnType<typeof parseReference>,
  flags: PushFlags,
  policy: EgressPolicy,
) {
  const options = {
    ...(flags.plainHttp ? { plainHttp: true } : {}),
    ...(flags.ca === undefined ? {} : { ca: true }),
  };
  const settings = {
    endpoint: endpointOf(reference, options),
    ...(flags.ca === undefined ? {} : { ca: flags.ca }),
    ...(flags.credentials === undefined ? {} : { credentialsFile: flags.credentials }),
  };
  return openRegistry(settings, { timing: systemTiming, policy });
}

function pushedText(where: string, report: PushReport): string {
  const sent = `${report.uploaded} blobs sent, ${report.existed} were there, ${
    sizeText(report.bytes)
  }`;
  const tag = report.tag === undefined ? "" : `, tag ${report.tag}`;
  return `pushed    ${where}@${report.digest}${tag}\n  ${sent}, ${report.seconds.toFixed(1)} s\n`;
}
