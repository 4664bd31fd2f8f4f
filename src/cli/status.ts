/**
 * `stella status` and `stella health`: the running build, compared with a manifest whose signature
 * is not checked here.
 */
import { isObject } from "../domain/json.ts";
import type { Manifest } from "../bundle/manifest.ts";
import { exitCodes, type Finding, finding, StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import type { ServiceFlags } from "./options.ts";
import { dropPermissions } from "./permissions.ts";
import { manifestIn, type Place, type PlaceFlags } from "./open_bundle.ts";
import { placeAt } from "./place.ts";
import { findingJson, findingText } from "./render.ts";
import { objectOf } from "./service_answer.ts";
import { ServiceClient } from "./service_client.ts";

interface Status {
  version: string;
  commit: string;
  buildDate: string;
  form: string;
  /** Digest of the executable; absent under `deno run`. */
  binary?: { sha256: string };
  /** For callers with a token: the state directory and the active configuration. */
  state?: string;
  configuration?: { path: string; sha256: string };
  features: Record<string, boolean>;
}

/** Code 0, or 7 with the finding `build_differs`. @param named the bundle to compare with */
export async function showStatus(
  named: string | undefined,
  options: ServiceFlags & PlaceFlags,
  host: Host,
): Promise<Result> {
  const client = new ServiceClient(options, host);
  const place = named === undefined ? undefined : await placeAt("compare", named, options, host);
  const { url, status, text } = await client.call({ path: "/status" });
  const service: Partial<Status> = status === 200 ? objectOf({ text }) : {};
  if (!isStatus(service)) {
    const what = `Cannot read the status of ${shown(url)}: it answers ${status}`;
    throw new StellaError("not_a_service", what, {
      hint: "check that it is a stella service, and name the right one with --server",
    });
  }
  // The manifest is untrusted: a local file is read without network permission.
  await dropPermissions(host, place?.needs ?? []);
  const manifest = place === undefined ? undefined : await readNamed(place);
  const findings = manifest === undefined ? [] : differences(manifest, service);
  return {
    code: findings.length === 0 ? 0 : exitCodes.differs,
    json: { service, manifest, findings: findings.map(findingJson) },
    text: statusText(service, manifest, findings),
  };
}

/** Readiness as exit code, for hosts without curl: 0 ready, 13 not ready or no response. */
export async function showHealth(options: ServiceFlags, host: Host): Promise<Result> {
  const path = "/health/readiness?verbose";
  const { status, text } = await new ServiceClient(options, host).call({ path });
  const lines = text.split("\n").map(escaped).filter((line) => line !== "");
  return {
    code: status === 200 ? 0 : exitCodes.remote,
    json: { checks: lines },
    text: lines.map((line) => `${line}\n`).join(""),
  };
}

/** The build that made a bundle, and the program that the bundle carries as `stella`. */
interface Named {
  tool: Manifest["tool"];
  program?: { sha256: string };
}

async function readNamed(place: Place): Promise<Named> {
  const opened = place.open({ trusted: [] });
  try {
    const { tool, files } = await manifestIn(opened.source, "compare with");
    const carried = files.find(({ path, role }) => role === "program" && path === "stella");
    return { tool, ...carried === undefined ? {} : { program: { sha256: carried.sha256 } } };
  } finally {
    opened.close?.();
  }
}

function isStatus(value: Partial<Record<keyof Status, unknown>>): value is Status {
  const { version, commit, buildDate, form, features, binary, state, configuration } = value;
  return [version, commit, buildDate, form].every((one) => typeof one === "string") &&
    isObject(features) &&
    (binary === undefined || isObject(binary) && typeof binary["sha256"] === "string") &&
    (state === undefined || typeof state === "string") &&
    (configuration === undefined ||
      isObject(configuration) &&
        ["path", "sha256"].every((name) => typeof configuration[name] === "string"));
}

function differences({ tool, program }: Named, service: Status): Finding[] {
  const pairs: [string, string, string][] = [
    ["version", service.version, tool.version],
    ["commit", service.commit, tool.commit],
  ];
  if (program !== undefined && service.binary !== undefined) {
    pairs.push(["binary sha256", service.binary.sha256, program.sha256]);
  }
  return pairs.filter(([, found, expected]) => found !== expected).map(([name, found, expected]) =>
    finding("build_differs", {
      found: `${name} ${found}`,
      expected: `${name} ${expected}`,
      hint: "run the build that made the bundle, or export it again with the running one",
    })
  );
}

function statusText(service: Status, named: Named | undefined, findings: Finding[]): string {
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
