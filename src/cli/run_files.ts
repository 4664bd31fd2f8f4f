/**
 * What a run leaves behind for those who were not there: metrics for node_exporter's textfile collector, because a run that
 * ends cannot be scraped, and a report. Both files are opened before the work, since verification gives up writing before it
 * reads the first byte of a bundle: what cannot be written is known at the start.
 */
import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { ioError } from "../errors.ts";
import { build } from "../version.ts";
import type { Host } from "./host.ts";
import { previousSuccesses, runMetrics } from "./run_metrics.ts";
import { refuseInBundle } from "./run_places.ts";

export interface RunFileOptions {
  metricsTextfile?: string;
  report?: string;
  profile?: string;
  manifest?: string;
}

export interface RunFiles {
  /** Writes both; `json` is the command's result. Once is enough. @throws StellaError usage, media */
  end(code: number, json: unknown): void;
}

/** Undefined where neither is asked for. @throws StellaError usage, media */
export function openRunFiles(
  command: string,
  options: RunFileOptions,
  host: Host,
): RunFiles | undefined {
  const { metricsTextfile, report, profile } = options;
  if (metricsTextfile === undefined && report === undefined) return undefined;
  if (command === "export bundle") refuseInBundle(options);
  const started = host.now();
  const metrics = metricsTextfile === undefined ? undefined : new RunFile(metricsTextfile);
  const written = report === undefined ? undefined : new RunFile(report);
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

export interface Run {
  command: string;
  profile: string | undefined;
  code: number;
  json: unknown;
  /** Milliseconds since 1970. */
  started: number;
  ended: number;
}

/** The result as `--json` prints it, and when and by what it was made. */
function reportOf({ command, json, started, ended }: Run): unknown {
  const { version, commit } = build();
  return {
    command,
    started: new Date(started).toISOString(),
    ended: new Date(ended).toISOString(),
    seconds: (ended - started) / 1000,
    tool: { name: "stella", version, commit },
    ...json as object,
  };
}

class RunFile {
  /** What stood in it. */
  readonly before: string;
  readonly #fd: number;

  constructor(readonly path: string) {
    try {
      this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
      this.before = readFileSync(path, "utf8");
    } catch (error) {
      throw ioError("Cannot write", path, error);
    }
  }

  write(text: string): void {
    try {
      if (!replaced(this.path, text)) this.#inPlace(text);
    } catch (error) {
      throw ioError("Cannot write", this.path, error);
    } finally {
      closeSync(this.#fd);
    }
  }

  #inPlace(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      at += writeSync(this.#fd, bytes, at, bytes.length - at, at);
    }
    ftruncateSync(this.#fd, bytes.length);
  }
}

/** By a rename, which no reader sees half of; false where nothing can be made beside it, as after verification. */
function replaced(path: string, text: string): boolean {
  const beside = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    writeFileSync(beside, text, { flag: "wx", mode: 0o644 });
    renameSync(beside, path);
    return true;
  } catch {
    try {
      rmSync(beside, { force: true });
    } catch { /* it was never made */ }
    return false;
  }
}
