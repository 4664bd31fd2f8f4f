/**
 * Metrics of a run for node_exporter's textfile collector, and a report. Both files are opened
 * before the work, because verification drops write permission, and replace only earlier runs'.
 */
import { closeSync, fstatSync, ftruncateSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { openNamed, replaceFile } from "../output/named_file.ts";
import { shown } from "../domain/names.ts";
import { StellaError } from "../domain/errors.ts";
import { ioError } from "../domain/io_errors.ts";
import { isWithin, realPath } from "../domain/real_path.ts";
import { build } from "../domain/version.ts";
import type { ExportFlags } from "./export_options.ts";
import type { Host } from "./host.ts";
import type { RunFileFlags } from "./options.ts";
import { previousSuccesses, type Run, runMetrics } from "./run_metrics.ts";

export type RunFileOptions = RunFileFlags & Pick<ExportFlags, "profile" | "manifest">;

export interface RunFiles {
  /** Writes both, once; `json` is the command's result. @throws StellaError io */
  end(code: number, json: object): void;
}

/** @throws StellaError usage, io */
export function openRunFiles(command: string, options: RunFileOptions, host: Host): RunFiles {
  const { metricsTextfile, report, profile } = options;
  if (command === "export bundle") refuseInBundle(options);
  const started = host.now();
  const metrics = metricsTextfile === undefined ? undefined : new RunFile(
    metricsTextfile,
    "the metrics of an earlier run",
    /^# HELP export_run_/,
    host.uuid(),
  );
  const written = report === undefined ? undefined : new RunFile(
    report,
    "the report of an earlier run",
    /^\{\s*"command": "[^"]*",\s*"started": "/,
    host.uuid(),
  );
  const before = previousSuccesses(metrics?.before ?? "");
  let isDone = false;
  return {
    end: (code, json) => {
      if (isDone) return;
      isDone = true;
      const run = { command, profile, code, json, started, ended: host.now() };
      metrics?.write(runMetrics(run, before));
      written?.write(`${JSON.stringify(reportOf(run), null, 2)}\n`);
    },
  };
}

/** The result as in `--json`, with times and program. */
function reportOf({ command, json, started, ended }: Run): unknown {
  const { version, commit } = build();
  return {
    command,
    started: new Date(started).toISOString(),
    ended: new Date(ended).toISOString(),
    seconds: (ended - started) / 1000,
    tool: { name: "stella", version, commit },
    ...json,
  };
}

/** Bytes; a report of ten thousand findings has a few million. */
const maxBefore = 64 * 1024 * 1024;

class RunFile {
  /** Its previous content. */
  readonly before: string;
  readonly #fd: number;

  /** @param start how a file of an earlier run begins: no other is replaced */
  constructor(readonly path: string, what: string, start: RegExp, readonly uuid: string) {
    this.#fd = openNamed(path, 0o644);
    try {
      const { size } = fstatSync(this.#fd);
      if (size > maxBefore) throw notOurs(path, what);
      this.before = readFileSync(this.#fd, "utf8");
      if (this.before !== "" && !start.test(this.before)) throw notOurs(path, what);
    } catch (error) {
      closeSync(this.#fd);
      throw error instanceof StellaError ? error : ioError("Cannot read", path, error);
    }
  }

  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    try {
      if (!replaced(this.path, bytes, this.uuid)) this.#inPlace(bytes);
    } catch (error) {
      throw ioError("Cannot write", this.path, error);
    } finally {
      closeSync(this.#fd);
    }
  }

  #inPlace(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      at += writeSync(this.#fd, bytes, at, bytes.length - at, at);
    }
    ftruncateSync(this.#fd, bytes.length);
  }
}

function notOurs(path: string, what: string): StellaError {
  return new StellaError("output_exists", `Cannot write ${shown(path)}: the file is not ${what}`, {
    hint: "name a new file, or remove this one",
  });
}

/** By a rename, which no reader sees half of; false where nothing can be created beside it. */
function replaced(path: string, bytes: Uint8Array, uuid: string): boolean {
  try {
    replaceFile(path, bytes, 0o644, uuid);
    return true;
  } catch {
    return false;
  }
}

/** Default path of an export's manifest. */
export const defaultManifest = "out/manifest.json";

/** A bundle must not contain its own report. @throws StellaError usage */
function refuseInBundle(options: RunFileOptions): void {
  const directory = dirname(options.manifest ?? defaultManifest);
  refuse(options, directory, `it lies in the directory of the bundle, ${shown(directory)}`);
}

/** The next bundle would contain the report of this one. @throws StellaError usage */
export function refuseInSources(options: RunFileOptions, sources: readonly string[]): void {
  for (const source of sources) {
    refuse(options, source, `it lies in what is exported, ${shown(source)}`);
  }
}

function refuse({ metricsTextfile, report }: RunFileOptions, place: string, why: string): void {
  const root = realPath(place);
  for (const file of [metricsTextfile, report]) {
    if (file === undefined || !isWithin(realPath(file), root)) continue;
    throw new StellaError("output_unsuitable", `Cannot write ${shown(file)}: ${why}`, {
      hint: "choose a file elsewhere",
    });
  }
}
