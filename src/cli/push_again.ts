/**
 * What an export says whose push failed: the bundle is complete, and this command goes on with it.
 */
import { existsSync } from "node:fs";
import { shown } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import type { ExportFlags } from "./export_options.ts";

/** @param error what the push threw @param directory of the bundle */
export function notPushed(error: unknown, directory: string, flags: ExportFlags): unknown {
  if (!(error instanceof StellaError)) return error;
  const what = `${error.message}; the bundle itself is complete in ${shown(directory)}`;
  const command = `push it with: ${pushCommand(directory, flags)}`;
  return new StellaError(error.code, what, {
    cause: error,
    hint: error.hint === undefined ? command : `${withoutAgain(error.hint)}; ${command}`,
    findings: error.findings,
  });
}

/** To run the same command again would export again. */
function withoutAgain(hint: string): string {
  return hint.replace(/, then run the command again$/, "");
}

function pushCommand(directory: string, flags: ExportFlags): string {
  const { ca, credentials, clientCert, clientKey, plainHttp, mountFrom = [], config } = flags;
  const words = [
    ...["stella", "export", "bundle", "push", "--manifest", directory],
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
