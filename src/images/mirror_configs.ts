/**
 * Configurations that make clients use a mirror under the original names: containerd's hosts.toml,
 * containers-registries.conf(5) for podman, CRI-O and skopeo, OpenShift's mirror sets, the
 * registries.yaml of k3s and RKE2, and variables for trivy. None of them falls back to the source:
 * behind an air gap that would only take the time of a timeout.
 */
import { comparePaths } from "../domain/paths.ts";
import type { NamedImage } from "./image_set.ts";
import { sourceOf } from "./mapping.ts";

export interface MirrorTarget {
  /** `http:` or `https:`. */
  protocol: string;
  /** `HOST[:PORT]`. */
  authority: string;
}

/** A name, and what takes its place at the mirror: whole hosts where one rule says it all. */
interface Rule {
  host: string;
  /** Below the host; empty: all of it. */
  repository: string;
  /** At the mirror; empty: the root of the registry. */
  target: string;
}

/** Every file begins with it, so that no other file is replaced. */
export const configHeader = "# Written by stella load\n";

/** Contents by path. */
export function mirrorConfigs(
  images: readonly NamedImage[],
  repositories: ReadonlyMap<string, string>,
  target: MirrorTarget,
): Map<string, string> {
  const rules = rulesOf(images, repositories);
  const files = new Map([
    ["containers/registries.conf.d/50-stella.conf", registriesConf(rules, target)],
    ["k3s/registries.yaml", registriesYaml(rules, target)],
    ["openshift/mirror-sets.yaml", mirrorSets(rules, target)],
  ]);
  for (const rule of rules) {
    // containerd replaces hosts, not the repositories on them.
    if (rule.repository !== "") continue;
    files.set(`containerd/certs.d/${directoryOf(rule.host)}/hosts.toml`, hostsToml(rule, target));
  }
  const trivy = trivyEnv(images, repositories, target);
  if (trivy !== "") files.set("trivy.env", trivy);
  return new Map([...files].map(([path, text]) => [path, configHeader + text]));
}

/** Hosts whose images have names that hosts.toml cannot express. */
export function hostsWithoutToml(
  images: readonly NamedImage[],
  repositories: ReadonlyMap<string, string>,
): string[] {
  const rules = rulesOf(images, repositories).filter(({ repository }) => repository !== "");
  return [...new Set(rules.map(({ host }) => host))];
}

function rulesOf(
  images: readonly NamedImage[],
  repositories: ReadonlyMap<string, string>,
): Rule[] {
  const rules = new Map(images.map((image) => {
    const { registry: host, repository } = image;
    const target = repositories.get(sourceOf(image)) ?? "";
    return [sourceOf(image), { host, repository, target }] as const;
  }));
  return [...Map.groupBy(rules.values(), ({ host }) => host)]
    .flatMap(([host, own]) => {
      const roots = new Set(own.map(rootOf));
      const [root] = roots;
      return roots.size === 1 && root !== undefined
        ? [{ host, repository: "", target: root }]
        : own;
    })
    .sort((a, b) => comparePaths(`${a.host}/${a.repository}`, `${b.host}/${b.repository}`));
}

/** What precedes the repository in its target; undefined if the target does not end with it. */
function rootOf({ repository, target }: Rule): string | undefined {
  if (target === repository) return "";
  return target.endsWith(`/${repository}`) ? target.slice(0, -repository.length - 1) : undefined;
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== "").join("/");
}

/** As containerd looks for it: colons are no part of file names everywhere. */
function directoryOf(host: string): string {
  return host.replace(/:(\d+)$/, "_$1_");
}

function hostsToml({ target }: Rule, { protocol, authority }: MirrorTarget): string {
  const url = JSON.stringify(joined(`${protocol}//${authority}/v2`, target));
  return `server = ${url}
override_path = true

[host.${url}]
capabilities = ["pull", "resolve"]
override_path = true
`;
}

function registriesConf(rules: readonly Rule[], { protocol, authority }: MirrorTarget): string {
  return rules.map(({ host, repository, target }) => `
[[registry]]
prefix = ${JSON.stringify(joined(host, repository))}
location = ${JSON.stringify(joined(authority, target))}
insecure = ${protocol === "http:"}
`).join("");
}

function registriesYaml(rules: readonly Rule[], { protocol, authority }: MirrorTarget): string {
  const lines = [...Map.groupBy(rules, ({ host }) => host)].flatMap(([host, own]) => [
    `  ${JSON.stringify(host)}:`,
    `    endpoint: [${JSON.stringify(`${protocol}//${authority}`)}]`,
    "    rewrite:",
    ...own.map(({ repository, target }) => {
      const [from, to] = repository === ""
        ? ["^(.*)$", joined(target, "$1")]
        : [`^${repository.replaceAll(".", "\\.")}$`, target];
      return `      ${JSON.stringify(from)}: ${JSON.stringify(to)}`;
    }),
  ]);
  return ["mirrors:", ...lines, ""].join("\n");
}

/** By digest and by tag: OpenShift has a resource for each. */
function mirrorSets(rules: readonly Rule[], { authority }: MirrorTarget): string {
  const mirrors = rules.flatMap(({ host, repository, target }) => [
    `    - source: ${JSON.stringify(joined(host, repository))}`,
    `      mirrors: [${JSON.stringify(joined(authority, target))}]`,
    "      mirrorSourcePolicy: NeverContactSource",
  ]);
  const kinds = [["ImageDigestMirrorSet", "imageDigestMirrors"], [
    "ImageTagMirrorSet",
    "imageTagMirrors",
  ]];
  return kinds.map(([kind, field]) =>
    [
      "apiVersion: config.openshift.io/v1",
      `kind: ${kind}`,
      "metadata: { name: stella }",
      "spec:",
      `  ${field}:`,
      ...mirrors,
      "",
    ].join("\n")
  ).join("---\n");
}

/** Trivy's own names of its databases, by the end of their repositories. */
const trivyVariables = {
  "trivy-db": "TRIVY_DB_REPOSITORY",
  "trivy-java-db": "TRIVY_JAVA_DB_REPOSITORY",
  "trivy-checks": "TRIVY_CHECKS_BUNDLE_REPOSITORY",
} as const;

function trivyEnv(
  images: readonly NamedImage[],
  repositories: ReadonlyMap<string, string>,
  { protocol, authority }: MirrorTarget,
): string {
  const lines = Object.entries(trivyVariables).flatMap(([name, variable]) => {
    const image = images.find(({ repository, tag, attachedTo }) =>
      repository.split("/").at(-1) === name && tag !== undefined && attachedTo === undefined
    );
    const target = image && repositories.get(sourceOf(image));
    return target === undefined ? [] : [`${variable}=${authority}/${target}:${image?.tag}`];
  });
  if (lines.length > 0 && protocol === "http:") lines.push("TRIVY_INSECURE=true");
  return lines.map((line) => `${line}\n`).join("");
}
