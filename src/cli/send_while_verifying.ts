/**
 * Verifies a bundle while it is sent: a slow medium is read once. The signer is checked before the
 * first byte is sent, and nothing refers to the sent blobs until the verdict is good.
 */
import type { Manifest } from "../bundle/manifest.ts";
import { StellaError } from "../domain/errors.ts";
import { RemoteError } from "../net/failure.ts";
import { workerThreshold } from "../verify/content.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { VerifyHooks } from "./verify.ts";
import { Backpressure } from "./backpressure.ts";

export interface Sending<T> {
  /** Calls `begin` once it knows who signed the bundle, and reads as `backpressure` lets it. */
  verify(
    begin: NonNullable<VerifyHooks["begin"]>,
    stop: AbortSignal,
    backpressure: Backpressure,
  ): Promise<Verdict>;
  send(verification: Verification, stop: AbortSignal): Promise<T>;
}

/** What a sender knows of the verification. */
export interface Verification {
  /** Resolves with the digest of the verified manifest. */
  approved: Promise<string>;
  /** Records what was sent. */
  backpressure: Backpressure;
}

/**
 * The verdict, and the result of sending if it is good.
 * @throws the error of `send`, unless a bad verdict is its cause; the error of `verify`
 */
export async function sendWhileVerifying<T>(
  { verify, send }: Sending<T>,
  stop: AbortSignal,
): Promise<{ verdict: Verdict; sent?: T }> {
  const ended = new AbortController();
  const both = AbortSignal.any([stop, ended.signal]);
  const approval = Promise.withResolvers<string>();
  approval.promise.catch(() => {});
  const failed = Promise.withResolvers<never>();
  const backpressure = new Backpressure();
  let sending: Promise<T> | undefined;
  const begin = async (manifest: Manifest, isRefused: boolean) => {
    if (isRefused) return backpressure.end();
    sending = send({ approved: approval.promise, backpressure }, both);
    sending.catch((error) => isAboutBytes(error) ? backpressure.end() : failed.reject(error));
    // For a small bundle no worker starts, and its verdict need not wait for a registry that is
    // slow.
    if (bytesOf(manifest) >= workerThreshold) await backpressure.started;
  };
  try {
    const verdict = await Promise.race([verify(begin, both, backpressure), failed.promise]);
    if (!verdict.ok || sending === undefined || verdict.bundle === undefined) return { verdict };
    approval.resolve(verdict.bundle.bundleDigest);
    return { verdict, sent: await sending };
  } finally {
    ended.abort();
    backpressure.end();
    approval.reject(ended.signal.reason);
    await sending?.catch(() => {});
  }
}

function bytesOf({ files }: Manifest): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** The medium or its content may be the cause: then the verdict says more. */
function isAboutBytes(error: unknown): boolean {
  if (error instanceof RemoteError) return byRegistry.includes(error.reason);
  return error instanceof StellaError && byUs.includes(error.kind);
}

const byRegistry: readonly string[] = ["rejected", "digest_mismatch"];
const byUs: readonly string[] = ["missing", "differs", "truncated", "unsafe", "io"];
