/**
 * `stella status`: what runs, and whether it is the build that a bundle's manifest names. The manifest's own signature is not
 * judged here: that is `stella verify`.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, type Finding, ioError, StellaError } from "../domain/errors.ts";
import { type Manifest, manifestName } from "../bundle/manifest.ts";
import { escaped, shown } from "../domain/names.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { readRegular } from "../domain/regular_file.ts";
import { askService } from "./ask_service.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { findingJson, findingText } from "./render.ts";
import { keepOnly } from "./spare.ts";

export interface StatusOptions extends CommonOptions {
  url?: string;
  tokenFile?: string;
  ca?: string;
  /** manifest.json, or the directory that holds it. */
  manifest?: string;
}

/** As `/status` answers, design.md section 10. */
interface Status {
  version: string;
  commit: string;
  buildDate: string;
  form: string;
  /** Of the one file that runs; absent under `deno run`. */
  binary?: { sha256: string };
  /** For those who have a token: the state directory and the configuration in force. */
  state?: string;
  configuration?: { path: string; sha256: string };
  features: Record<string, boolean>;
}

/**
 * Code 0, or 7 with the finding `build_differs`.
 * @throws StellaError usage, manifest, media, registry
 */
export async function runStatus(options: StatusOptions, host: Host): Promise<Result> {
  const { url, status, text } = await askService(options, "/status", host);
  const service = status === 200 ? parseStatus(text) : undefined;
  if (service === undefined) {
    throw new StellaError(
      "registry",
      `Cannot read the status of ${shown(url)}: it answers ${status}`,
      {
        hint: "is it a service of stella? name the right one with --url",
      },
    );
  }
  // The manifest may be anybody's: it is read without the network.
  await keepOnly(host.permissions, []);
  const named = options.manifest === undefined ? undefined : readNamed(options.manifest);
  const findings = named === undefined ? [] : differences(named, service);
  const code = findings.length === 0 ? 0 : exitCodes.digest;
  const compared = named === undefined ? {} : { manifest: named };
  return {
    code,
    json: { ok: code === 0, code, service, ...compared, findings: findings.map(findingJson) },
    text: statusText(service, named, findings),
  };
}

/** What a manifest says of the build that made it, and of the program that lies beside it as `stella`. */
interface Named {
  tool: Manifest["tool"];
  program?: { sha256: string };
}

function readNamed(path: string): Named {
  const file = statSync(path, { throwIfNoEntry: false })?.isDirectory()
    ? join(path, manifestName)
    : path;
  try {
    const bytes = readRegular("Cannot read the manifest", file, maxManifestBytes);
    const { tool, files } = readManifest(bytes);
    const carried = files.find(({ path, role }) => role === "program" && path === "stella");
    return { tool, ...(carried === undefined ? {} : { program: { sha256: carried.sha256 } }) };
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
    typeof value?.features === "object" && value.features !== null &&
    (value.binary === undefined || typeof value.binary?.sha256 === "string") &&
    ["string", "undefined"].includes(typeof value.state) &&
    (value.configuration === undefined || typeof value.configuration?.path === "string");
  return isStatus ? value as Status : undefined;
}

function differences({ tool, program }: Named, service: Status): Finding[] {
  const pairs: [string, string, string][] = [
    ["version", service.version, tool.version],
    ["commit", service.commit, tool.commit],
  ];
  if (program !== undefined && service.binary !== undefined) {
    pairs.push(["binary sha256", service.binary.sha256, program.sha256]);
  }
  return pairs.filter(([, found, expected]) => found !== expected)
    .map(([name, found, expected]) => ({
      code: "digest",
      reason: "build_differs",
      found: `${name} ${found}`,
      expected: `${name} ${expected}`,
      hint: "run the build that made the bundle, or export it again with the running one",
    }));
}

function statusText(
  service: Status,
  named: Named | undefined,
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
    ...(service.binary === undefined ? [] : [`  binary    sha256:${service.binary.sha256}`]),
    `  features  ${on.join(", ")}`,
    ...(service.state === undefined ? [] : [`  state     ${service.state}`]),
    ...configurationText(service),
  ].map(escaped);
  if (named !== undefined && findings.length === 0) lines.push(agreement(named, service));
  return [...lines, ...findings.map(findingText), ""].join("\n");
}

function configurationText({ configuration }: Status): string[] {
  if (configuration === undefined) return [];
  return [`  config    ${configuration.path}`, `            sha256:${configuration.sha256}`];
}

function agreement({ tool, program }: Named, service: Status): string {
  if (program !== undefined && service.binary !== undefined) {
    return "  the bundle carries this very binary";
  }
  if (tool.commit !== "unknown") return "  the manifest names this very build";
  return "  the manifest names this version; neither side knows its commit";
}
