/**
 * Where an export goes besides its output directory: the targets of its profile and `--push`. One
 * that fails keeps no other from being tried, and the result names each of them.
 */
import { existsSync } from "node:fs";
import { escaped, shown } from "../domain/names.ts";
import { nameOf, publishError, type TargetOutcome } from "../export/targets.ts";
import type { Result } from "./command.ts";
import type { ExportFlags } from "./export_options.ts";
import type { Host } from "./host.ts";
import { push, type Ready } from "./push.ts";
import { asStellaError, errorFields, findingJson, findingText } from "./render.ts";

/** What became of one destination. */
export interface Outcome {
  readonly name: string;
  /** How the result names it. */
  readonly json: object;
  readonly seconds: number;
  readonly failure?: { readonly thrown: unknown } | undefined;
  /** What the registry has now, of `--push`. */
  readonly pushed?: Awaited<ReturnType<typeof push>>;
}

export function outcomeOf({ target, seconds, failure }: TargetOutcome): Outcome {
  return { name: nameOf(target), json: target, seconds, failure };
}

/** @throws what the signal was aborted with */
export async function tryPush(
  ready: Ready,
  reference: string,
  directory: string,
  flags: ExportFlags,
  host: Host,
): Promise<Outcome> {
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
  outcomes: readonly Outcome[],
  directory: string,
  flags: ExportFlags,
): Result {
  if (outcomes.length === 0) return result;
  const pushed = outcomes.find((one) => one.pushed !== undefined)?.pushed;
  const json = {
    ...result.json,
    ...pushed === undefined ? {} : { pushed: pushed.json },
    targets: outcomes.map(outcomeJson),
  };
  const text = result.text + outcomes.map(outcomeText).join("");
  const failed = outcomes.filter(({ failure }) => failure !== undefined);
  if (failed.length === 0) return { json, text };
  const error = asStellaError(publishError(
    failed.map(({ name, failure }) => ({ name, thrown: failure?.thrown })),
    outcomes.length,
  ));
  const complete = `the bundle itself is complete in ${shown(directory)}`;
  const again = failed.some((one) => "reference" in one.json)
    ? [`push it with: ${pushCommand(directory, flags)}`]
    : [];
  const hint = [...error.hint === undefined ? [] : [withoutAgain(error.hint)], ...again].join("; ");
  return {
    code: error.exitCode,
    json: {
      ...json,
      error: errorFields(
        error.reworded(`${error.message}; ${complete}`, { hint: hint === "" ? undefined : hint }),
      ),
      findings: error.findings.map(findingJson),
    },
    text: text + [complete, ...again].map((line) => escaped(`  ${line}`) + "\n").join(""),
  };
}

function outcomeJson({ json, seconds, failure }: Outcome): object {
  if (failure === undefined) return { ...json, ok: true, seconds };
  const error = asStellaError(failure.thrown);
  return { ...json, ok: false, code: error.exitCode, error: errorFields(error), seconds };
}

function outcomeText({ name, seconds, failure, pushed }: Outcome): string {
  if (pushed !== undefined) return pushed.text;
  if (failure === undefined) return escaped(`published ${name}, ${seconds} s`) + "\n";
  const { exitCode, message, hint, findings } = asStellaError(failure.thrown);
  return [
    escaped(`failed    ${name}: ${message} (code ${exitCode})`),
    ...findings.map(findingText),
    ...(hint === undefined ? [] : [escaped(`  hint:   ${hint}`)]),
  ].join("\n") + "\n";
}

/** To run the same command again would export again. */
function withoutAgain(hint: string): string {
  return hint.replace(/, then run the command again$/, "");
}

function pushCommand(directory: string, flags: ExportFlags): string {
  const { ca, credentials, clientCert, clientKey, plainHttp, mountFrom = [], config } = flags;
  const words = [
    ...["stella", "push", directory],
    ...option("--ca", ca),
    ...option("--credentials", credentials),
    ...option("--client-cert", clientCert),
    ...option("--client-key", clientKey),
    ...mountFrom.flatMap((name) => ["--mount-from", name]),
    ...(plainHttp === true ? ["--plain-http"] : []),
    ...option("--config", config),
    ...option("--trust", publicKeyOf(flags.key)),
    flags.push ?? "",
  ];
  return words.map(quoted).join(" ");
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value];
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
