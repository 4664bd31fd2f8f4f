/** `stella export bundle push`, and `--push` of an export. What was not just made here is verified while it is sent. */
import { StellaError } from "../domain/errors.ts";
import { directorySource } from "../bundle/source.ts";
import { grants } from "../config/permissions.ts";
import type { RegistryClient } from "../registry/client.ts";
import { pushBundle, type PushReport } from "../registry/push.ts";
import { parseReference, type Reference } from "../domain/reference.ts";
import { confine, type Kept, proveConfined } from "../verify/confine.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { ProgressLine } from "./progress.ts";
import { clientFor, type RegistryFlags } from "./registry_client.ts";
import { type Judging, sendWhileJudged } from "./send_while_judged.ts";
import { sizeText, verdictJson, verdictText } from "./render.ts";
import { bundleDirectory } from "./bundle_place.ts";
import { judgesOf, judgeSource, type VerifyOptions } from "./judge.ts";

export interface PushFlags extends RegistryFlags {
  mountFrom?: string[];
}

/** The registry, and the uploads that are kept; the rest is given up before the bundle is looked at. */
const kept: readonly Kept[] = ["net", "write"];

export async function pushBundleCommand(
  options: VerifyOptions & PushFlags & { manifest: string },
  host: Host,
  args: string[],
): Promise<Result> {
  const directory = bundleDirectory(options.manifest);
  const ready = await openPush(args[0]!, options, host);
  try {
    const judges = judgesOf(options, host, directory);
    confine(Deno.permissions, grants, kept);
    proveConfined(kept);
    const { verdict, sent } = await sendWhileJudged({
      judge: (begin, stop, pace) => {
        const source = pace.source(directorySource(directory));
        const silent = { ...options, quiet: true };
        return judgeSource(source, judges, silent, { ...host, stop }, { begin });
      },
      send: (judging, stop) => push(ready, directory, options, { ...host, stop }, judging),
    }, host.stop);
    const { code } = verdict;
    if (sent === undefined) {
      return {
        code,
        json: verdictJson(verdict),
        text: `${verdictText(verdict)}  Nothing was published.\n`,
      };
    }
    return { code, json: { ...verdictJson(verdict), pushed: sent.json }, text: sent.text };
  } finally {
    ready.client.close();
  }
}

export interface Ready {
  reference: Reference;
  client: RegistryClient;
}

/** All that can be wrong with what a person typed, before any work is done. @throws StellaError usage */
export async function openPush(
  ref: string,
  flags: PushFlags & CommonOptions,
  host: Host,
): Promise<Ready> {
  const reference = parseReference(ref);
  if (reference.digest !== undefined) {
    throw new StellaError("usage", "Cannot push to a digest: it follows from the bundle", {
      hint: "give a tag, as in oci://HOST/REPOSITORY:TAG, or none",
    });
  }
  return { reference, client: await clientFor(reference, flags, host) };
}

/**
 * Pushes the bundle in `directory`; the result as JSON and as text.
 * @param judging where it is judged meanwhile
 * @throws StellaError registry
 */
export async function push(
  { reference, client }: Ready,
  directory: string,
  flags: PushFlags & CommonOptions,
  host: Host,
  judging?: Judging,
): Promise<{ json: PushReport; text: string }> {
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  const report = await pushBundle({
    client,
    dir: directory,
    ...(judging === undefined ? {} : { approved: judging.approved }),
    repository: reference.repository,
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
    ...(flags.mountFrom === undefined ? {} : { mountFrom: flags.mountFrom }),
    progress: (done, total) => {
      judging?.pace.sent(done, total);
      line.update("push", done, total);
    },
    signal: host.stop,
  }).finally(() => line.end());
  return {
    json: report,
    text: pushedText(`${reference.authority}/${reference.repository}`, report),
  };
}

function pushedText(where: string, report: PushReport): string {
  const sent = `${report.uploaded} blobs sent, ${report.existed} were there, ${
    sizeText(report.bytes)
  }`;
  const tag = report.tag === undefined ? "" : `, tag ${report.tag}`;
  return `pushed    ${where}@${report.digest}${tag}\n  ${sent}, ${report.seconds.toFixed(1)} s\n`;
}
