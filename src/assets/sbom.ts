/**
 * The SBOM: CycloneDX 1.6 JSON, generated from deno.lock. Without serial number and time, so that
 * the same build gives the same bytes, and without a digest of stella, which contains it.
 */

export interface Built {
  version: string;
  /** 40 hex digits or `unknown`. */
  commit: string;
  runtime: Runtime;
}

/** The part of Deno inside a binary: denort if made by `deno compile`, otherwise all of Deno. */
export interface Runtime {
  name: "deno" | "denort";
  /** Of Deno. */
  version: string;
}

interface Package {
  integrity?: string;
  dependencies?: string[];
}

interface Lock {
  specifiers?: Record<string, string>;
  npm?: Record<string, Package>;
}

/** Packages that only tests import; what only they need is not in the binary. */
const testOnly = [
  "fast-check",
  "@seriousme/openapi-schema-validator",
  "@sigstore/bundle",
  "@sigstore/verify",
];

/**
 * The document, with a line end. Components are sorted by name and version.
 * @param lock the text of deno.lock, version 5
 * @throws Error if the lock refers to a package that it does not contain
 */
export function renderSbom(lock: string, built: Built): string {
  const { specifiers = {}, npm = {} } = JSON.parse(lock) as Lock;
  const roots = rootsOf(specifiers);
  const keys = [...reachable(roots, npm)].sort();
  const [program, platform] = [`pkg:generic/stella@${built.version}`, runtimeRef(built.runtime)];
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      lifecycles: [{ phase: "build" }],
      component: {
        type: "application",
        "bom-ref": program,
        name: "stella",
        version: built.version,
        purl: program,
        properties: [{ name: "stella:commit", value: built.commit }],
      },
    },
    components: [
      { type: "platform", "bom-ref": platform, ...built.runtime, purl: platform },
      ...keys.map((key) => component(key, npm[key])),
    ],
    dependencies: [
      { ref: program, dependsOn: [platform, ...roots.map(refOf).sort()] },
      ...keys.map((key) => ({
        ref: refOf(key),
        dependsOn: dependenciesOf(key, npm).map(refOf).sort(),
      })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Keys of the npm packages that the program imports: NAME@REQUIREMENT to the chosen version. */
function rootsOf(specifiers: Record<string, string>): string[] {
  return Object.entries(specifiers).flatMap(([specifier, version]) => {
    const name = /^npm:(@?[^@]+)@/.exec(specifier)?.[1];
    return name === undefined || testOnly.includes(name) ? [] : [`${name}@${version}`];
  });
}

function reachable(roots: string[], npm: Record<string, Package>): Set<string> {
  const seen = new Set<string>();
  const visit = (key: string) => {
    if (seen.has(key)) return;
    seen.add(key);
    dependenciesOf(key, npm).forEach(visit);
  };
  roots.forEach(visit);
  return seen;
}

/** The lock writes a dependency as NAME if it has one version of it, otherwise as NAME@VERSION. */
function dependenciesOf(key: string, npm: Record<string, Package>): string[] {
  const found = npm[key];
  if (found === undefined) throw new Error(`Cannot render the SBOM: deno.lock lacks ${key}`);
  return (found.dependencies ?? []).map((dependency) => {
    const exact = npm[dependency] !== undefined;
    const whole = exact ? dependency : Object.keys(npm).find((k) => parse(k).name === dependency);
    if (whole === undefined) {
      throw new Error(`Cannot render the SBOM: deno.lock lacks ${dependency}`);
    }
    return whole;
  });
}

/** `@scope/name@1.2.3_peer@4.5.6`: the part after the underscore names its peer. */
function parse(key: string): { name: string; version: string } {
  const [, name = key, version = ""] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
  return { name, version };
}

/** The package URL, also used as bom-ref. */
function refOf(key: string): string {
  const { name, version } = parse(key);
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function component(key: string, found: Package | undefined): unknown {
  const { name, version } = parse(key);
  const [, group, short = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  const sha512 = /^sha512-(.+)$/.exec(found?.integrity ?? "")?.[1];
  return {
    type: "library",
    "bom-ref": refOf(key),
    ...(group === undefined ? {} : { group }),
    name: short,
    version,
    purl: refOf(key),
    ...(sha512 === undefined
      ? {}
      : { hashes: [{ alg: "SHA-512", content: Uint8Array.fromBase64(sha512).toHex() }] }),
  };
}

/** denort is another program of the same release; `cli/rt` is its directory in Deno's sources. */
function runtimeRef({ name, version }: Runtime): string {
  const release = `pkg:github/denoland/deno@v${version}`;
  return name === "deno" ? release : `${release}#cli/rt`;
}
