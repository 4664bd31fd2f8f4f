/** `stella push`, which verifies while it sends, and `--push` of an export. */
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { parseReference, type Reference } from "../domain/reference.ts";
import type { RegistryClient } from "../registry/client.ts";
import { pushBundle, type PushReport } from "../registry/push.ts";
import type { CommonFlags, Flags, Result } from "./command.ts";
import type { Permission } from "../domain/permissions.ts";
import type { Host } from "./host.ts";
import { isRegistry, type mountOption, type RegistryFlags } from "./options.ts";
import { confineForBundle } from "./permissions.ts";
import { placeAt } from "./place.ts";
import { ProgressLine } from "./progress.ts";
import { clientFor } from "./registry_client.ts";
import { sizeText } from "./render.ts";
import { sendWhileVerifying, type Verification } from "./send_while_verifying.ts";
import { readTrust, resultOf, type VerifyFlags, verifySource } from "./verify.ts";

export type PushFlags = RegistryFlags & Flags<typeof mountOption>;

/** The registry, and the uploads that are remembered. */
const permissions: readonly Permission[] = ["net", "write"];

export async function pushBundleFrom(
  named: string,
  reference: string,
  options: VerifyFlags & PushFlags,
  host: Host,
): Promise<Result> {
  if (named === "-" || isRegistry(named)) throw notADirectory(named);
  const place = await placeAt("push", named, options, host);
  const ready = await openPush(reference, options, host);
  try {
    const trust = readTrust(options, host, place.directories);
    await confineForBundle(host, permissions);
    const { source } = place.open(trust);
    const { verdict, sent } = await sendWhileVerifying({
      verify: (begin, stop, backpressure) => {
        const silent = { ...options, quiet: true };
        const own = { ...host, stop };
        return verifySource(backpressure.source(source), trust, silent, own, { begin });
      },
      send: (verification, stop) =>
        push(ready, place.name, options, { ...host, stop }, verification),
    }, host.stop);
    const result = resultOf({ verdict }, host, { text: "  Nothing was published.\n" });
    if (sent === undefined) return result;
    return { code: verdict.code, json: { ...result.json, pushed: sent.json }, text: sent.text };
  } finally {
    ready.client.close();
  }
}

/** Its files are read again where an upload has to be repeated. */
function notADirectory(named: string): StellaError {
  const where = named === "-" ? "from standard input" : shown(named);
  const what = `Cannot push a bundle ${where}: it is not in a directory`;
  return new StellaError("argument_invalid", what, {
    hint: "pull it first: stella pull REFERENCE --to DIR",
  });
}

export interface Ready {
  reference: Reference;
  client: RegistryClient;
}

/** Refuses what was typed wrong before any work is done. @throws StellaError usage */
export async function openPush(
  ref: string,
  flags: PushFlags & CommonFlags,
  host: Host,
): Promise<Ready> {
  const reference = parseReference(ref);
  if (reference.digest !== undefined) {
    const what = "Cannot push to a digest: it is computed from the bundle";
    throw new StellaError("argument_invalid", what, {
      hint: "give a tag, as in oci://HOST/REPOSITORY:TAG, or none",
    });
  }
  return { reference, client: await clientFor(reference, flags, host) };
}

/** @param verification where it is verified meanwhile @throws StellaError remote */
export async function push(
  { reference, client }: Ready,
  directory: string,
  flags: PushFlags & CommonFlags,
  host: Host,
  verification?: Verification,
): Promise<{ json: PushReport; text: string }> {
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  const report = await pushBundle({
    client,
    dir: directory,
    ...(verification === undefined ? {} : { approved: verification.approved }),
    repository: reference.repository,
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
    mountFrom: flags.mountFrom ?? [],
    progress: (done, total) => {
      verification?.backpressure.sent(done, total);
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
