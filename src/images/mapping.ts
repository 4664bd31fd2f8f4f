/**
 * Where images go: PREFIX/HOST/REPOSITORY by default, so that no two sources can meet. Everything is
 * checked before anything is sent.
 */
import { type Finding, finding, StellaError } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { shown } from "../domain/names.ts";
import { isRepository } from "../domain/reference.ts";
import type { NamedImage } from "./image_set.ts";

export interface MappingRules {
  /** Below which everything goes; empty: nothing. */
  prefix: string;
  /** `HOST/REPOSITORY...` and what takes its place; the longest one that fits counts. */
  map: readonly { from: string; to: string }[];
  /** One level below the prefix: registries that allow no nesting. */
  flatten: boolean;
}

/** Parses `FROM=TO`. @throws StellaError usage */
export function parseMapping(text: string): { from: string; to: string } {
  const at = text.indexOf("=");
  const [from, to] = [text.slice(0, at), text.slice(at + 1)].map(withoutSlashes);
  if (at > 0 && from && to !== undefined) return { from, to };
  throw new StellaError("argument_invalid", `Cannot map ${shown(text)}: not FROM=TO`, {
    hint: "write it as in --map docker.io/library=base",
  });
}

function withoutSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, "");
}

/** The repository of each image by its source, `HOST/REPOSITORY`. @throws StellaError usage */
export function mapRepositories(
  images: readonly NamedImage[],
  rules: MappingRules,
): ReadonlyMap<string, string> {
  const sources = [...new Set(images.map(sourceOf))].sort();
  const mapped = new Map(sources.map((source) => [source, replaced(source, rules)]));
  const flat = rules.flatten ? flattened(mapped) : mapped;
  const repositories = new Map(
    [...flat].map(([source, path]) => [source, joined(rules.prefix, path)]),
  );
  const findings = [
    ...[...repositories].flatMap(([source, name]) => grammarFault(source, name)),
    ...collisions(images, repositories),
  ];
  if (findings.length === 0) return repositories;
  throw new StellaError("reference_invalid", "Cannot load the images: names cannot be used there", {
    findings,
    hint: "choose other names with --map FROM=TO, or leave images out with --only",
  });
}

/** `HOST[:PORT]/REPOSITORY`. */
export function sourceOf({ registry, repository }: NamedImage): string {
  return `${registry}/${repository}`;
}

function replaced(source: string, { map }: MappingRules): string {
  const rule = map.filter(({ from }) => source === from || source.startsWith(`${from}/`))
    .reduce((best, one) => one.from.length > best.from.length ? one : best, { from: "", to: "" });
  if (rule.from !== "") return joined(rule.to, source.slice(rule.from.length + 1));
  const slash = source.indexOf("/");
  // A repository has no colon.
  return source.slice(0, slash).replace(":", "_") + source.slice(slash);
}

/** Names that would meet get a part of the digest of the whole name. */
function flattened(mapped: ReadonlyMap<string, string>): Map<string, string> {
  const flat = (path: string) => path.replaceAll("/", "-");
  const count = Map.groupBy(mapped.values(), flat);
  return new Map(
    [...mapped].map(([source, path]) => {
      const isShared = new Set(count.get(flat(path))).size > 1;
      return [source, isShared ? `${flat(path)}-${sha256(path).slice(0, 8)}` : flat(path)];
    }),
  );
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== "").join("/");
}

function grammarFault(source: string, name: string): Finding[] {
  if (isRepository(name)) return [];
  const found = `${shown(name)} is not a valid name of a repository`;
  return [finding("reference_invalid", { path: source, found })];
}

/** Two images of one tag in one repository. */
function collisions(
  images: readonly NamedImage[],
  repositories: ReadonlyMap<string, string>,
): Finding[] {
  const seen = new Map<string, NamedImage>();
  return images.flatMap((image): Finding[] => {
    if (image.tag === undefined) return [];
    const target = `${repositories.get(sourceOf(image))}:${image.tag}`;
    const other = seen.get(target);
    seen.set(target, image);
    if (other === undefined || other.top.digest === image.top.digest) return [];
    const found = `${shown(other.name)} would have the same name, ${shown(target)}`;
    return [finding("reference_invalid", { path: image.name, found })];
  });
}
