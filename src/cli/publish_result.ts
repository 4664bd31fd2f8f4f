/**
 * Where an export goes apart from its output directory: the targets of its profile and `--push`. All
 * are tried, and the result names each.
 */
import { existsSync } from "node:fs";
import { escaped, shown } from "../domain/names.ts";
import { nameOf, publishError, type TargetOutcome } from "../export/targets.ts";
import { flagOf, type Result, type Value } from "./command.ts";
import type { ExportFlags } from "./export_options.ts";
import type { Host } from "./host.ts";
import { push, type Ready } from "./push.ts";
import { asStellaError, errorFields, findingJson, findingText } from "./render.ts";

/** What became of one destination. */
export interface PublishResult {
  readonly name: string;
  /** How the result names it. */
  readonly json: object;
  readonly seconds: number;
  readonly failure?: { readonly thrown: unknown } | undefined;
  /** What the registry has now, of `--push`. */
  readonly pushed?: Awaited<ReturnType<typeof push>>;
}

export function outcomeOf({ target, seconds, failure }: TargetOutcome): PublishResult {
  return { name: nameOf(target), json: target, seconds, failure };
}

/** @throws what the signal was aborted with */
export async function tryPush(
  ready: Ready,
  reference: string,
  directory: string,
  flags: ExportFlags,
  host: Host,
): Promise<PublishResult> {
  const destination = { name: reference, json: { reference } };
  const started = host.elapsed();
  const seconds = () => Math.round(host.elapsed() - started) / 1000;
  try {
    const pushed = await push(ready, directory, flags, host);
    return { ...destination, seconds: seconds(), pushed };
  } catch (thrown) {
    if (host.stop.aborted) throw thrown;
    return { ...destination, seconds: seconds(), failure: { thrown } };
  }
}

/** Adds each destination to the result of an export; where one failed the code is its own. */
export function withOutcomes(
  result: Result,
  outcomes: readonly PublishResult[],
  directory: string,
  flags: ExportFlags,
): Result {
  if (outcomes.length === 0) return result;
  const json = {
    ...result.json,
    pushed: outcomes.find((one) => one.pushed !== undefined)?.pushed?.json,
    targets: outcomes.map(outcomeJson),
  };
  const text = result.text + outcomes.map(outcomeText).join("");
  const failed = outcomes.flatMap(({ name, json, failure }) =>
    failure === undefined ? [] : [{ name, json, thrown: failure.thrown }]
  );
  if (failed.length === 0) return { json, text };
  const error = asStellaError(publishError(failed, outcomes.length));
  const complete = `the bundle itself is complete in ${shown(directory)}`;
  const again = failed.some((one) => "reference" in one.json)
    ? [`push it with: ${pushCommand(directory, flags)}`]
    : [];
  const hint = [error.hint, ...again].filter((one) => one !== undefined).join("; ");
  const named = error.reworded(`${error.message}; ${complete}`, { hint: hint || undefined });
  return {
    code: error.exitCode,
    json: { ...json, error: errorFields(named), findings: error.findings.map(findingJson) },
    text: text + [complete, ...again].map((line) => escaped(`  ${line}`) + "\n").join(""),
  };
}

function outcomeJson({ json, seconds, failure }: PublishResult): object {
  if (failure === undefined) return { ...json, ok: true, seconds };
  const error = asStellaError(failure.thrown);
  return { ...json, ok: false, code: error.exitCode, error: errorFields(error), seconds };
}

function outcomeText({ name, seconds, failure, pushed }: PublishResult): string {
  if (pushed !== undefined) return pushed.text;
  if (failure === undefined) return escaped(`published ${name}, ${seconds} s`) + "\n";
  const { exitCode, message, hint, findings } = asStellaError(failure.thrown);
  return [
    escaped(`failed    ${name}: ${message} (code ${exitCode})`),
    ...findings.map(findingText),
    ...(hint === undefined ? [] : [escaped(`  hint:   ${hint}`)]),
  ].join("\n") + "\n";
}

function pushCommand(directory: string, flags: ExportFlags): string {
  const { mountFrom, config, plainHttp, ca, credentials, clientCert, clientKey } = flags;
  const of = { ca, credentials, clientCert, clientKey, mountFrom, plainHttp, config };
  const options = Object.entries({ ...of, trust: publicKeyOf(flags.key) })
    .flatMap(([name, value]) => optionWords(flagOf(name), value));
  return ["stella", "push", directory, ...options, flags.push ?? ""].map(quoted).join(" ");
}

function optionWords(flag: string, value: Value): string[] {
  if (typeof value === "boolean") return value ? [flag] : [];
  return [value ?? []].flat().flatMap((one) => [flag, one]);
}

/** A push verifies first: the machine's own key is trusted, another one has to be named. */
function publicKeyOf(key: string | undefined): string | undefined {
  const path = key === undefined ? undefined : `${key.replace(/\.key$/, "")}.pub`;
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** As a POSIX shell reads it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
