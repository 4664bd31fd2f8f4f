/**
 * A bundle is judged while it is sent, so that a slow medium is read once and two cores are used. Who signed it is settled before
 * the first byte goes out; what then goes out nothing refers to, until the verdict is good.
 */
import type { Manifest } from "../bundle/manifest.ts";
import { StellaError } from "../domain/errors.ts";
import { RegistryError } from "../net/failure.ts";
import { workerThreshold } from "../verify/content.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Look } from "./judge.ts";
import { Pace } from "./pace.ts";

export interface Sending<T> {
  /** Judges the bundle, as fast as `pace` gives its bytes, and calls `begin` once it knows who signed it. */
  judge(begin: NonNullable<Look["begin"]>, stop: AbortSignal, pace: Pace): Promise<Verdict>;
  send(judging: Judging, stop: AbortSignal): Promise<T>;
}

/** What a sender knows of the judging. */
export interface Judging {
  /** Settles with the digest of the manifest that was found right. */
  approved: Promise<string>;
  /** Is told what was sent. */
  pace: Pace;
}

/**
 * The verdict, and what came of sending where it is good.
 * @throws what `send` threw, unless a bad verdict is the cause of that; what `judge` threw
 */
export async function sendWhileJudged<T>(
  { judge, send }: Sending<T>,
  stop: AbortSignal,
): Promise<{ verdict: Verdict; sent?: T }> {
  const over = new AbortController();
  const both = AbortSignal.any([stop, over.signal]);
  const approval = Promise.withResolvers<string>();
  approval.promise.catch(() => {});
  const failed = Promise.withResolvers<never>();
  const pace = new Pace();
  let sending: Promise<T> | undefined;
  const begin = async (manifest: Manifest, isRefused: boolean) => {
    if (isRefused) return pace.over();
    sending = send({ approved: approval.promise, pace }, both);
    sending.catch((error) => isAboutBytes(error) ? pace.over() : failed.reject(error));
    // For a small bundle no worker starts, and its verdict need not wait for a registry that is slow.
    if (bytesOf(manifest) >= workerThreshold) await pace.underWay;
  };
  try {
    const verdict = await Promise.race([judge(begin, both, pace), failed.promise]);
    if (!verdict.ok || sending === undefined) return { verdict };
    approval.resolve(verdict.bundle!.bundleDigest);
    return { verdict, sent: await sending };
  } finally {
    over.abort();
    pace.over();
    approval.reject(over.signal.reason);
    await sending?.catch(() => {});
  }
}

function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** The medium or the bytes on it may be the cause: then the verdict says more. */
function isAboutBytes(error: unknown): boolean {
  if (error instanceof RegistryError) return byRegistry.includes(error.reason);
  return error instanceof StellaError && byUs.includes(error.code);
}

const byRegistry: readonly string[] = ["rejected", "digest_mismatch"];
const byUs: readonly string[] = ["missing", "digest", "truncated", "unsafe", "media"];
