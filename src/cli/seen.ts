/** What is known of the sequences of bundles: by what this machine has seen, and by options. */
import { dirname } from "node:path";
import type { KeyGuard } from "../attest/check/trust.ts";
import {
  encodeSeen,
  parseSeen,
  type SeenBundle,
  seenOf,
  seenPath,
  withSeen,
} from "../attest/trust/seen.ts";
import { checkSequence, type KnownSequence } from "../attest/trust/sequence_check.ts";
import type { Manifest } from "../bundle/manifest.ts";
import { stateDirectory } from "../config/paths.ts";
import { type Finding, type Reason, StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { readRegular } from "../domain/regular_file.ts";
import { sequenceNumber, sequenceOption } from "../domain/sequence.ts";
import { changeStateFile, readStateFile } from "../output/state_file.ts";
import { maxReceiptBytes, readReceipt, type ReceivedBundle } from "../verify/receipt.ts";
import type { Verdict } from "../verify/verdict.ts";
import { flagOf } from "./command.ts";
import type { Host } from "./host.ts";
import type { Trust } from "./open_bundle.ts";
import type { SequenceFlags, TrustFlags } from "./options.ts";

type Check = NonNullable<Trust["checkSequence"]>;

/** To be called before permissions are dropped. @throws StellaError usage */
export function sequenceCheck(
  flags: SequenceFlags & TrustFlags,
  { environment }: Pick<Host, "environment">,
  guard: KeyGuard,
): Check {
  refuseIntegrityOnly(flags);
  const state = stateDirectory(environment);
  const { expectSequence } = flags;
  const expected = expectSequence === undefined
    ? []
    : [{ sequence: sequenceNumber("expect-sequence", expectSequence) }];
  const receipts = (flags.seen ?? []).map((path) => receiptAt(path, guard));
  const accepted = acceptedOf(flags);
  return (bundle, keyid) => {
    const isSame = sameProfile(bundle);
    const known: KnownSequence[] = [
      ...expected,
      ...receipts.filter((one) => one.keyid === keyid && isSame(one.bundle))
        .map(({ bundle }) => bundle),
      ...seenBy(state, keyid).filter(isSame),
    ];
    return checkSequence(bundle, known, accepted);
  };
}

function acceptedOf({ acceptSequence: text }: SequenceFlags): number | "none" | undefined {
  return text === undefined ? undefined : sequenceOption("accept-sequence", text);
}

/** @throws StellaError usage, io */
export function receiptAt(path: string, guard: KeyGuard = () => {}): ReceivedBundle {
  guard(path);
  const bytes = readRegular(
    "Cannot read the receipt",
    path,
    maxReceiptBytes,
    (opened) => guard(path, opened),
  );
  return readReceipt(bytes, path);
}

function sameProfile({ tenant, profile }: Pick<SeenBundle, "tenant" | "profile">) {
  return (one: SeenBundle) => one.tenant === tenant && one.profile === profile;
}

function seenBy(state: string | undefined, keyid: string): SeenBundle[] {
  if (state === undefined) return [];
  const path = seenPath(state, keyid);
  const bytes = readStateFile(path);
  return bytes === undefined ? [] : parseSeen(bytes, path).seen;
}

function refuseIntegrityOnly(flags: SequenceFlags & TrustFlags): void {
  const names = ["acceptSequence", "expectSequence", "seen"] as const;
  const given = names.filter((name) => (flags[name]?.length ?? 0) > 0).map(flagOf).join(", ");
  if (flags.integrityOnly !== true || given === "") return;
  throw new StellaError("options_conflict", `Cannot use ${given} together with --integrity-only`, {
    hint: "leave out --integrity-only: without a signer a sequence proves nothing",
  });
}

/** Remembers a bundle with a good verdict; nothing where its sequence was not checked. */
export async function rememberBundle(
  { verdict: { signer }, manifest }: { verdict: Verdict; manifest?: Manifest },
  flags: SequenceFlags & TrustFlags,
  state: string | undefined,
  host: Pick<Host, "uuid">,
): Promise<void> {
  const bundle = manifest === undefined ? undefined : seenOf(manifest);
  if (bundle === undefined || signer === undefined || flags.integrityOnly) return;
  await recordSeen({ keyid: signer.keyid, bundle }, acceptedOf(flags), state, host);
}

/**
 * Remembers a bundle that was found good. It is compared once more, as another command may have
 * kept a newer one meanwhile. Nothing is kept without a state directory.
 * @throws StellaError rollback, io
 */
export async function recordSeen(
  { keyid, bundle }: ReceivedBundle,
  accepted: number | "none" | undefined,
  state: string | undefined,
  { uuid }: Pick<Host, "uuid">,
): Promise<void> {
  if (state === undefined) return;
  const path = seenPath(state, keyid);
  await changeStateFile(path, uuid(), (present) => {
    const seen = present === undefined ? [] : parseSeen(present, path).seen;
    const { findings } = checkSequence(bundle, seen.filter(sameProfile(bundle)), accepted);
    if (findings[0] !== undefined) throw seenMeanwhile(bundle, findings[0].reason, findings);
    return encodeSeen({ signer: keyid, seen: withSeen(seen, bundle) });
  }).catch((error) => {
    if (!(error instanceof StellaError) || !["io", "conflict"].includes(error.kind)) throw error;
    throw error.reworded(`Cannot remember what was seen: ${error.message}`, {
      hint: `make ${dirname(path)} writable, or set STELLA_DATA to a directory of this user`,
    });
  });
}

function seenMeanwhile(
  { profile }: SeenBundle,
  reason: Reason,
  findings: readonly Finding[],
): StellaError {
  const what = `Cannot keep this bundle of ${shown(profile)}: another one was kept meanwhile`;
  return new StellaError(reason, what, { findings });
}
