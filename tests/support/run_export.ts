/** Exports for tests: a signer that is always the same, no clock, no terminal. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../../src/domain/errors.ts";
import { directorySource } from "../../src/bundle/source.ts";
import { exportBundle, type ExportOutput } from "../../src/export/export.ts";
import type { ExportReport } from "../../src/export/report.ts";
import type { ExportContext, ExportSpec } from "../../src/export/spec.ts";
import { systemTiming } from "./timing.ts";
import type { Stage } from "../../src/domain/labels.ts";
import { noPrivateFiles, testKey, withDirectory, writeFiles } from "./bundle_fixture.ts";
import { outcomeOf } from "./outcome.ts";

export const key = testKey("exporter");
export const epoch = 1_767_225_600;

/** The specification of an export, its output and its context in one. */
export type Export = ExportSpec & ExportOutput & ExportContext;
export type Changes = Partial<Export>;

let count = 0;

export function optionsFor(
  directory: string,
  input: string | string[],
  more: Changes = {},
): Export {
  return {
    profile: "p",
    tenant: "t",
    sources: [input].flat().map((path) => ({ path })),
    builtin: [],
    images: [],
    imageAccess: {},
    documents: [],
    providers: [],
    created: epoch,
    layout: "archive",
    compression: "zstd",
    volumeSize: undefined,
    programs: [],
    secret: undefined,
    tool: { version: "0.1.0", commit: "0".repeat(40) },
    targets: [],
    registries: [],
    egress: { sealed: false, allow: [] },
    privateFiles: noPrivateFiles,
    directory,
    force: false,
    signer: key.signer,
    uuid: () => `00000000-0000-7000-8000-${String(++count).padStart(12, "0")}`,
    timing: systemTiming,
    signal: new AbortController().signal,
    yieldToEventLoop: () => Promise.resolve(),
    emit: () => {},
    ...more,
  };
}

export function run(
  directory: string,
  input: string | string[],
  more: Changes = {},
): Promise<ExportReport> {
  const all = optionsFor(directory, input, more);
  return exportBundle(all, all, all);
}

/** Receives the progress of an export. */
export function onProgress(
  hear: (stage: Stage, done: number) => void,
): Pick<ExportContext, "emit"> {
  return {
    emit: (event) => {
      if (event.kind === "progress") hear(event.stage, event.done);
    },
  };
}

/** Code, message and findings (`reason path`) of an export that is refused. */
export async function refusal(
  work: () => unknown,
): Promise<{ code: number; message: string; findings: string[]; error: StellaError }> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof StellaError)) throw error;
    const findings = error.findings.map((f) => `${f.reason} ${f.path}: ${f.found}`);
    return { code: error.exitCode, message: error.message, findings, error };
  }
  throw new Error("it was not refused");
}

/** Every file below a directory: path to mode and content. */
export function snapshot(root: string, prefix = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(join(root, prefix), { withFileTypes: true })) {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    const mode = (statSync(join(root, path), { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
    if (entry.isDirectory()) {
      Object.assign(found, { [`${path}/`]: mode.toString(8) }, snapshot(root, path));
    } else found[path] = `${mode.toString(8)} ${readFileSync(join(root, path), "latin1")}`;
  }
  return found;
}

/** An output directory and an input of two files. */
export async function inDirectory(
  body: (out: string, input: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (root) => {
    writeFiles(root, { "in/a.txt": "first", "in/b/c.txt": "second" });
    await body(join(root, "out"), join(root, "in"));
  });
}

export async function assertSound(out: string): Promise<void> {
  const { code, findings } = await outcomeOf(directorySource(out), [key.trusted]);
  assert.deepEqual([code, findings], [0, []]);
}

/** The ways to write a bundle that leave different names behind. */
export const forms: Changes[] = [
  {},
  { compression: "none" },
  { volumeSize: 8 << 20 },
  { layout: "directory" },
  { programs: [{ name: "stella", path: "/bin/true" }] },
];
