import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { renderSbom } from "../../src/assets/sbom.ts";

const root = new URL("../../", import.meta.url);
const lock = readFileSync(new URL("deno.lock", root), "utf8");
const built = {
  version: "1.2.3",
  commit: "c".repeat(40),
  runtime: { name: "deno", version: "2.9.6" },
} as const;

interface Document {
  specVersion: string;
  serialNumber?: string;
  metadata: { timestamp?: string };
  components: { "bom-ref": string; type: string; group?: string; name: string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

function render(text: string): Document {
  return JSON.parse(renderSbom(text, built)) as Document;
}

/** Names of npm packages that the program's own sources import. */
function imported(): Set<string> {
  const config = JSON.parse(readFileSync(new URL("deno.json", root), "utf8"));
  const names = Object.entries(config.imports as Record<string, string>)
    .filter(([, target]) => target.startsWith("npm:"))
    .map(([name]) => name);
  const sources = readdirSync(new URL("src/", root), { recursive: true })
    .filter((path) => String(path).endsWith(".ts"))
    .map((path) => readFileSync(new URL(`src/${path}`, root), "utf8"));
  return new Set(names.filter((name) => sources.some((text) => imports(text, name))));
}

function imports(text: string, name: string): boolean {
  return [`from "${name}`, `import("${name}`, `import "${name}`].some((start) =>
    text.includes(`${start}"`) || text.includes(`${start}/`)
  );
}

Deno.test("the SBOM lists exactly the packages that the sources import, and Deno", () => {
  const { dependencies } = render(lock);
  const names = dependencies[0]?.dependsOn.map((ref) => ref.replace(/^pkg:\w+\/|@v?[^@]+$/g, ""));
  const expected = [...imported()].map((name) => name.replace("@", "%40"));
  assert.deepEqual(names?.sort(), [...expected, "denoland/deno"].sort());
});

Deno.test("every dependency is a component, and every component is reachable", () => {
  const { components, dependencies } = render(lock);
  const refs = components.map((component) => component["bom-ref"]);
  assert.deepEqual(refs, [...new Set(refs)]);
  const reached = new Set(dependencies.flatMap(({ dependsOn }) => dependsOn));
  assert.deepEqual([...reached].sort(), refs.sort());
});

Deno.test("the platform is the Deno runtime that the binary contains, with its own version", () => {
  const runtime = { name: "denort", version: "2.9.4" } as const;
  const { components } = JSON.parse(renderSbom(lock, { ...built, runtime })) as Document;
  const purl = "pkg:github/denoland/deno@v2.9.4#cli/rt";
  assert.deepEqual(components[0], { type: "platform", "bom-ref": purl, ...runtime, purl });
});

Deno.test("the SBOM has no timestamp, no serial number and no package that only tests use", () => {
  const document = render(lock);
  assert.equal(document.specVersion, "1.6");
  assert.deepEqual([document.serialNumber, document.metadata.timestamp], [undefined, undefined]);
  assert.ok(!/fast-check|sigstore|pure-rand/.test(renderSbom(lock, built)));
});

Deno.test("scopes, peers, several versions and digests are read from a lock file", () => {
  const npm = {
    "@a/b@1.0.0_c@2.0.0": { integrity: "sha512-AAEC", dependencies: ["c@2.0.0"] },
    "c@1.0.0": {},
    "c@2.0.0": {},
    "fast-check@1.0.0": { dependencies: ["c@1.0.0"] },
  };
  const specifiers = {
    "npm:@a/b@1": "1.0.0_c@2.0.0",
    "npm:fast-check@1": "1.0.0",
    "jsr:@x/y@1": "1.0.0",
  };
  const { components, dependencies } = render(JSON.stringify({ specifiers, npm }));
  assert.deepEqual(components.slice(1), [
    {
      type: "library",
      "bom-ref": "pkg:npm/%40a/b@1.0.0",
      group: "@a",
      name: "b",
      version: "1.0.0",
      purl: "pkg:npm/%40a/b@1.0.0",
      hashes: [{ alg: "SHA-512", content: "000102" }],
    },
    {
      type: "library",
      "bom-ref": "pkg:npm/c@2.0.0",
      name: "c",
      version: "2.0.0",
      purl: "pkg:npm/c@2.0.0",
    },
  ]);
  assert.deepEqual(dependencies[1], {
    ref: "pkg:npm/%40a/b@1.0.0",
    dependsOn: ["pkg:npm/c@2.0.0"],
  });
});

Deno.test("a lock file that refers to a missing entry is refused", () => {
  const text = JSON.stringify({ specifiers: { "npm:a@1": "1.0.0" }, npm: {} });
  assert.throws(() => render(text), /deno.lock lacks a@1.0.0/);
});
