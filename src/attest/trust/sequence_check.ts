/** Whether a bundle is older than one that is known, by their sequences; no clock is asked. */
import { type Finding, finding } from "../../domain/errors.ts";
import { shown } from "../../domain/names.ts";

/** A bundle, as far as its sequence is judged. */
export interface Numbered {
  readonly profile: string;
  readonly sequence?: number;
  /** Digest of the index. */
  readonly state: string;
}

/** A sequence that is known from elsewhere, with its state if that is known too. */
export interface KnownSequence {
  readonly sequence: number;
  readonly state?: string;
}

export interface SequenceResult {
  readonly findings: readonly Finding[];
  readonly rollback: RollbackFacts;
}

export interface RollbackFacts {
  /** False where nothing is known that the bundle could be older than. */
  judged: boolean;
  /** The largest sequence that is known. */
  lastSequence?: number;
  /** What --accept-sequence has let pass. */
  accepted?: true;
}

/** A thief of a key could else use up all numbers with one bundle. */
export const maxJump = 10_000;

/**
 * @param known by receipts, the operator, or what this machine has seen of this profile
 * @param accepted the sequence that the operator accepts, `none` for a bundle without one
 */
export function checkSequence(
  bundle: Numbered,
  known: readonly KnownSequence[],
  accepted?: number | "none",
): SequenceResult {
  const { sequence, state } = bundle;
  if (accepted !== undefined && accepted !== (sequence ?? "none")) {
    const found = sequence === undefined ? "no sequence" : `sequence ${sequence}`;
    const hint = "get the bundle that was meant, or accept the sequence of this one";
    const expected = accepted === "none" ? "no sequence" : `sequence ${accepted}`;
    return { findings: [finding("rollback", { found, expected, hint })], rollback: factsOf(known) };
  }
  const fork = known.find((one) =>
    one.sequence === sequence && one.state !== undefined && one.state !== state
  );
  // Nobody can accept a fork: one of the two is forged, or the exporter lost its numbers.
  if (fork !== undefined) return { findings: [forkOf(bundle, fork)], rollback: factsOf(known) };
  const found = known.length === 0 ? undefined : orderFault(bundle, lastOf(known));
  if (found === undefined) return { findings: [], rollback: factsOf(known) };
  return accepted === undefined
    ? { findings: [found], rollback: factsOf(known) }
    : { findings: [], rollback: { ...factsOf(known), accepted: true } };
}

function lastOf(known: readonly KnownSequence[]): number {
  return Math.max(...known.map(({ sequence }) => sequence));
}

function factsOf(known: readonly KnownSequence[]): RollbackFacts {
  return known.length === 0 ? { judged: false } : { judged: true, lastSequence: lastOf(known) };
}

function forkOf({ profile, sequence }: Numbered, { state }: KnownSequence): Finding {
  return finding("fork", {
    found: `another state of ${shown(profile)} with the sequence ${sequence}`,
    expected: `the state ${state}`,
    hint: "use neither bundle until the sender knows why: somebody else may have the signing key",
  });
}

function orderFault({ profile, sequence }: Numbered, last: number): Finding | undefined {
  const expected = `a sequence from ${last} on`;
  if (sequence === undefined) {
    return finding("rollback", {
      found: `${shown(profile)} without a sequence`,
      expected,
      hint: "get the newest bundle; if this one is meant, use --accept-sequence none",
    });
  }
  if (sequence < last) {
    return finding("rollback", {
      found: `${shown(profile)} with the sequence ${sequence}`,
      expected,
      hint: `get the newest bundle; if this one is meant, use --accept-sequence ${sequence}`,
    });
  }
  if (sequence <= last + maxJump) return undefined;
  return finding("sequence_jump", {
    found: `${shown(profile)} with the sequence ${sequence}`,
    expected: `a sequence from ${last} to ${last + maxJump}`,
    hint: `ask the sender; if the number is right, use --accept-sequence ${sequence}`,
  });
}
