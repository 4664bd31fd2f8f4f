/**
 * Targets of a profile that a command exports: published by the service's own code, one after
 * another, and what is told of them.
 */
import { StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import { hostnameOf } from "../config/destinations.ts";
import { egressPolicy } from "../domain/egress.ts";
import type { Config } from "../config/load.ts";
import type { Profile, Target } from "../config/profile.ts";
import type { ExportReport } from "../export/report.ts";
import { nameOf, type TargetOutcome, targetsError, tryTargets } from "../export/targets.ts";
import type { CommonFlags, Result } from "./command.ts";
import type { Host } from "./host.ts";
import { checkEnvironment } from "./network.ts";
import type { ProgressLine } from "./progress.ts";
import { uploadsOf } from "./registry_client.ts";
import { asStellaError, findingJson, findingText } from "./render.ts";

export interface TargetPlan {
  /** Of the profile, as the configuration has them. */
  targets: readonly Target[];
  /** Whether a registry is among them. */
  isOnline: boolean;
  publish(report: ExportReport, directory: string, line: ProgressLine): Promise<TargetOutcome[]>;
}

/**
 * Before permissions are given up.
 * @throws StellaError usage for variables that cannot be ignored
 */
export function planTargets(
  profile: Profile,
  { registries, egress }: Config,
  flags: CommonFlags,
  host: Host,
): TargetPlan {
  const named = profile.targets.flatMap((target) =>
    "registry" in target ? registries.get(target.registry) ?? [] : []
  );
  if (named.length > 0) {
    checkEnvironment(named.map(({ url }) => hostnameOf(new URL(url))), flags, host);
  }
  const { uploads: memory } = uploadsOf(host);
  return {
    targets: profile.targets,
    isOnline: named.length > 0,
    publish: (report, directory, line) =>
      tryTargets({
        job: {
          exportId: host.uuid(),
          tenant: report.tenant,
          profile,
          registries: [...registries.values()],
        },
        place: directory,
        report,
        emit: (event) => {
          if (event.kind === "progress") line.update(event.stage, event.done, event.total);
        },
        signal: host.stop,
        policy: egressPolicy(egress),
        ...(memory === undefined ? {} : { memory }),
      }),
  };
}

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
