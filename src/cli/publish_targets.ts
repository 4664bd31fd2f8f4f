/** What an export tells of the targets that its bundle was published to. */
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import { nameOf, type TargetOutcome, targetsError } from "../export/targets.ts";
import type { Result } from "./command.ts";
import { asStellaError, findingJson, findingText } from "./render.ts";

/** Each target with its result; where one failed the code is its own. */
export function withTargets(
  result: Result,
  outcomes: readonly TargetOutcome[],
  directory: string,
): Result {
  if (outcomes.length === 0) return result;
  const thrown = targetsError(outcomes);
  const error = thrown === undefined ? undefined : asStellaError(thrown);
  const complete = `the bundle itself is complete in ${shown(directory)}`;
  const failed = error === undefined ? {} : {
    error: {
      message: `${error.message}; ${complete}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    },
    findings: error.findings.map(findingJson),
  };
  return {
    ...error === undefined ? {} : { code: error.exitCode },
    json: { ...result.json, ...failed, targets: outcomes.map(outcomeJson) },
    text: result.text + outcomes.map(outcomeText).join("") +
      (error === undefined ? "" : escaped(`  ${complete}`) + "\n"),
  };
}

/** What a push that failed as well does not hide. @param thrown by the push */
export function besideTargets(thrown: unknown, outcomes: readonly TargetOutcome[]): unknown {
  const failure = targetsError(outcomes);
  if (failure === undefined || !(thrown instanceof StellaError)) return thrown;
  const { code, message, hint, findings } = thrown;
  const text = `${message}; and ${asStellaError(failure).message}`;
  const more = hint === undefined ? {} : { hint };
  return new StellaError(code, text, { cause: thrown, findings, ...more });
}

function outcomeJson({ target, seconds, failure }: TargetOutcome) {
  if (failure === undefined) return { ...target, ok: true, seconds };
  const { exitCode, message, hint } = asStellaError(failure.thrown);
  const error = { message, ...(hint === undefined ? {} : { hint }) };
  return { ...target, ok: false, code: exitCode, error, seconds };
}

function outcomeText({ target, seconds, failure }: TargetOutcome): string {
  if (failure === undefined) return escaped(`published ${nameOf(target)}, ${seconds} s`) + "\n";
  const { exitCode, message, hint, findings } = asStellaError(failure.thrown);
  return [
    escaped(`failed    ${nameOf(target)}: ${message} (code ${exitCode})`),
    ...findings.map(findingText),
    ...(hint === undefined ? [] : [escaped(`  hint:   ${hint}`)]),
  ].join("\n") + "\n";
}
