/** The result of verifying a bundle, short enough for a table. */
import assert from "node:assert/strict";
import { exitCodes, StellaError } from "../../src/domain/errors.ts";
import type { TrustedKey } from "../../src/attest/check/trust.ts";
import type { BundleSource } from "../../src/bundle/source.ts";
import { verifyBundle, type VerifyOptions } from "../../src/verify/verify.ts";
import type { Verdict } from "../../src/verify/verdict.ts";
import { type MadeBundle, memorySource } from "./bundle_fixture.ts";

export interface Outcome {
  /** The exit code. */
  code: number;
  /**
   * `code reason path` of each finding, sorted; `thrown` and the message where there is no verdict.
   */
  findings: string[];
  verdict?: Verdict;
}

export async function outcomeOf(
  source: BundleSource,
  trusted: readonly TrustedKey[],
  options: Partial<VerifyOptions> = {},
): Promise<Outcome> {
  try {
    const verdict = await verifyBundle(source, { trusted, ...options });
    const findings = verdict.findings.map((f) =>
      `${exitCodes[f.kind]} ${f.reason} ${f.path ?? ""}`
    );
    return { code: verdict.code, findings: findings.sort(), verdict };
  } catch (error) {
    if (!(error instanceof StellaError)) throw error;
    return { code: error.exitCode, findings: [`thrown ${error.message}`] };
  }
}

/** Of a bundle in memory, verified with its own key. */
export function verifyInMemory(made: Pick<MadeBundle, "files" | "key">): Promise<Outcome> {
  return outcomeOf(memorySource(made.files), [made.key.trusted]);
}

/** Each finding is expected, and each that is expected is found; `...` alone allows any. */
export function assertFindings(found: string[], expected: string[], about: string): void {
  const fits = (one: string, pattern: string) =>
    pattern.endsWith("...") ? one.startsWith(pattern.slice(0, -3)) : one === pattern;
  const unexpected = found.filter((one) => !expected.some((pattern) => fits(one, pattern)));
  const absent = expected.filter((pattern) =>
    pattern !== "..." && !found.some((one) => fits(one, pattern))
  );
  assert.deepEqual(
    { unexpected, absent },
    { unexpected: [], absent: [] },
    `${about}: ${found.join("; ")}`,
  );
}
