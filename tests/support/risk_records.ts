/** Small providers of each kind, and a build of them in directories that go with the test. */
import { join } from "node:path";
import { noPrivateFiles } from "./bundle_fixture.ts";
import { buildRisk } from "../../src/risk/builder.ts";
import type { Joined } from "../../src/risk/join.ts";
import type { Provider, ProviderKind } from "../../src/risk/provider.ts";
import type { RiskReport } from "../../src/risk/output.ts";

export const newest = Date.UTC(2026, 0, 2) / 1000;

export function kevEntry(cveID: string, more: Record<string, unknown> = {}) {
  return {
    cveID,
    vendorProject: "Vendor",
    product: "Product",
    vulnerabilityName: `${cveID} Vulnerability`,
    dateAdded: "2021-11-03",
    shortDescription: "text",
    requiredAction: "text",
    dueDate: "2022-05-03",
    knownRansomwareCampaignUse: "Unknown",
    ...more,
  };
}

export function kev(entries: unknown[], more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    catalogVersion: "2025.08.25",
    dateReleased: "2025-08-25T17:04:19.9796Z",
    count: entries.length,
    vulnerabilities: entries,
    ...more,
  });
}

export function osv(id: string, more: Record<string, unknown> = {}): string {
  return JSON.stringify({ schema_version: "1.3.1", id, modified: "0001-01-01T00:00:00Z", ...more });
}

export function goPackage(name: string, fixed: string) {
  return {
    package: { name, ecosystem: "Go" },
    ranges: [{ type: "SEMVER", events: [{ introduced: "0" }, { fixed }] }],
    ecosystem_specific: { imports: [] },
  };
}

export function epss(rows: string[]): string {
  const head = ["#model_version:v2025.03.14,score_date:2025-08-24T12:55:00+0000"];
  return [...head, "cve,epss,percentile", ...rows, ""].join("\n");
}

export function csaf(id: string, vulnerabilities: unknown, more: Record<string, unknown> = {}) {
  return JSON.stringify({
    document: {
      category: "csaf_vex",
      csaf_version: "2.0",
      publisher: { category: "vendor", name: "Maker", namespace: "https://maker.example" },
      title: "Title",
      tracking: {
        id,
        current_release_date: "2024-05-01T10:00:00.500Z",
        initial_release_date: "2024-05-01T10:00:00Z",
        revision_history: [{ date: "2024-05-01T10:00:00Z", number: "1", summary: "first" }],
        status: "final",
        version: "1",
      },
      ...more,
    },
    product_tree: {
      branches: [{ product: { product_id: "P-1", name: "Maker Box 1.0" } }],
      full_product_names: [{ product_id: "P-2", name: "Maker Box 2.0" }],
    },
    vulnerabilities,
  });
}

export type Files = Record<string, string | Uint8Array>;

export interface Built {
  report: RiskReport;
  /** Of all files, sorted by id. */
  lines: Joined[];
  /** What the builder wrote, by path. */
  output: Record<string, string>;
}

/**
 * Builds providers from their files; a provider with one file is that file, one with several a
 * directory.
 * @throws what the builder throws
 */
export async function build(
  given: [ProviderKind, Files, Partial<Provider>?][],
  more: { epoch?: number } = {},
): Promise<Built> {
  const root = Deno.makeTempDirSync({ prefix: "stella-risk-" });
  const place = (name: string) => {
    Deno.mkdirSync(join(root, name));
    return join(root, name);
  };
  try {
    const providers = given.map(([kind, files, options], i): Provider => {
      const directory = place(`in-${i}`);
      const names = Object.keys(files);
      for (const name of names) write(directory, name, files[name]!);
      const path = names.length === 1 ? join(directory, names[0]!) : directory;
      return { kind, name: i === 0 ? kind : `${kind}-${i}`, path, onInvalid: "fail", ...options };
    });
    const directory = place("out");
    const places = { directory, scratch: place("scratch") };
    const report = await buildRisk({
      providers,
      ...places,
      newest,
      yieldToEventLoop: () => Promise.resolve(),
      elapsed: () => performance.now(),
      privateFiles: noPrivateFiles,
      ...more,
    });
    const output = textsIn(directory);
    const lines = joinedText(output).trim().split("\n").map((line) => JSON.parse(line))
      .sort((a: Joined, b: Joined) => a.id < b.id ? -1 : 1);
    return { report, lines, output };
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

/** The files below a directory, by their paths, in order. */
function textsIn(directory: string): Record<string, string> {
  const paths = Deno.readDirSync(directory).flatMap(({ name, isDirectory }) =>
    isDirectory
      ? [...Deno.readDirSync(join(directory, name))].map((one) => `${name}/${one.name}`)
      : [name]
  );
  return Object.fromEntries(
    [...paths].sort().map((path) => [path, Deno.readTextFileSync(join(directory, path))]),
  );
}

/** All joined lines of a payload, in the order of its files. */
export function joinedText(files: Record<string, string>): string {
  return Object.entries(files).filter(([path]) => path.startsWith("joined/"))
    .map(([, text]) => text).join("");
}

function write(directory: string, name: string, content: string | Uint8Array): void {
  const path = join(directory, name);
  Deno.mkdirSync(join(path, ".."), { recursive: true });
  Deno.writeFileSync(
    path,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
}
