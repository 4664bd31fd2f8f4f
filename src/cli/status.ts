/**
 * `stella status`: what runs, and whether it is the build that a bundle's manifest names. The manifest's own signature is not
 * judged here: that is `stella verify`.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, type Finding, ioError, StellaError } from "../errors.ts";
import { type Manifest, manifestName } from "../bundle/manifest.ts";
import { escaped, shown } from "../bundle/names.ts";
import { largestManifest, readManifest } from "../bundle/read_manifest.ts";
import { askService } from "./ask_service.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { findingJson, findingText } from "./render.ts";

export interface StatusOptions extends CommonOptions {
  url?: string;
  /** manifest.json, or the directory that holds it. */
  manifest?: string;
}

/** As `/status` answers, design.md section 10. */
interface Status {
  version: string;
  commit: string;
  buildDate: string;
  form: string;
  features: Record<string, boolean>;
}

/** Code 0, or 7 with the finding `build_differs`. @throws StellaError usage, manifest, media, internal */
export async function runStatus(options: StatusOptions, host: Host): Promise<Result> {
  const tool = options.manifest === undefined ? undefined : readTool(options.manifest);
  const { url, status, text } = await askService(options.url, "/status", host);
  const service = status === 200 ? parseStatus(text) : undefined;
  if (service === undefined) {
    throw new StellaError(
      "internal",
      `Cannot read the status of ${shown(url)}: it answers ${status}`,
      {
        hint: "is it a service of stella? name the right one with --url",
      },
    );
  }
  const findings = tool === undefined ? [] : differences(tool, service);
  const code = findings.length === 0 ? 0 : exitCodes.digest;
  const compared = tool === undefined ? {} : { manifest: { tool } };
  return {
    code,
    json: { ok: code === 0, code, service, ...compared, findings: findings.map(findingJson) },
    text: statusText(service, tool, findings),
  };
}

function readTool(path: string): Manifest["tool"] {
  const file = statSync(path, { throwIfNoEntry: false })?.isDirectory()
    ? join(path, manifestName)
    : path;
  try {
    if (statSync(file).size > largestManifest) throw new Error("it is too large for a manifest");
    return readManifest(readFileSync(file)).tool;
  } catch (error) {
    throw error instanceof StellaError ? error : ioError("Cannot read the manifest", file, error);
  }
}

/** Undefined where it is no status of ours. */
function parseStatus(text: string): Status | undefined {
  let value: Partial<Status> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const texts = [value?.version, value?.commit, value?.buildDate, value?.form];
  const isStatus = texts.every((one) => typeof one === "string") &&
    typeof value?.features === "object" && value.features !== null;
  return isStatus ? value as Status : undefined;
}

function differences(tool: Manifest["tool"], service: Status): Finding[] {
  return (["version", "commit"] as const).filter((name) => tool[name] !== service[name])
    .map((name) => ({
      code: "digest",
      reason: "build_differs",
      found: `${name} ${service[name]}`,
      expected: `${name} ${tool[name]}`,
      hint: "run the build that made the bundle, or export it again with the running one",
    }));
}

function statusText(
  service: Status,
  tool: Manifest["tool"] | undefined,
  findings: Finding[],
): string {
  const on = Object.entries(service.features).map(([name, value]) =>
    `${name} ${value ? "on" : "off"}`
  );
  const lines = [
    `stella ${service.version}`,
    `  commit    ${service.commit}`,
    `  built     ${service.buildDate}`,
    `  form      ${service.form}`,
    `  features  ${on.join(", ")}`,
  ].map(escaped);
  if (tool !== undefined && findings.length === 0) {
    lines.push(
      tool.commit === "unknown"
        ? "  the manifest names this version; neither side knows its commit"
        : "  the manifest names this very build",
    );
  }
  return [...lines, ...findings.map(findingText), ""].join("\n");
}
