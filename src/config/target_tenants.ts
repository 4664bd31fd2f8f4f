/**
 * Separates tenants at the targets of profiles. `{tenant}` in a directory or a tag keeps them
 * apart; if two tenants could publish to the same place the configuration is refused, because one
 * would replace, or block, the other's bundle.
 */
import { resolve } from "node:path";
import type { Profile, RegistryConfig, Target } from "./profile.ts";
import { realPath, withAncestors } from "../domain/real_path.ts";
import { isTag } from "../domain/reference.ts";
import { renderTag, type TagValues } from "../domain/tag.ts";

export function renderDirectory(template: string, tenant: string): string {
  return template.replaceAll("{tenant}", tenant);
}

/** The relevant part of the configuration. */
export interface Publishing {
  tenants: readonly string[];
  profiles: Readonly<Record<string, Pick<Profile, "tenants" | "targets">>>;
  registries: Readonly<Record<string, Pick<RegistryConfig, "url">>>;
}

export interface Fault {
  /** Keys and indexes from the root to the fault. */
  place: PropertyKey[];
  text: string;
}

/** A tenant of a profile that publishes to a place. */
interface Claim {
  profile: string;
  at: number;
  tenant: string;
  /** The path of a directory, or the identity of a tag. */
  key: string;
  what: "directory" | "tag";
}

export function targetFaults(config: Publishing): Fault[] {
  const faults: Fault[] = [];
  const claims = Object.entries(config.profiles).flatMap(([profile, { targets, ...rest }]) => {
    const tenants = rest.tenants ?? config.tenants;
    return targets.flatMap((target, at) => {
      faults.push(...tagFaults(profile, tenants, target, at));
      return tenants.flatMap((tenant) => claimOf({ profile, at, tenant }, target, config));
    });
  });
  return [...faults, ...sharedFaults(claims)];
}

function claimOf(
  of: Pick<Claim, "profile" | "at" | "tenant">,
  target: Target,
  { registries }: Publishing,
): Claim[] {
  const { profile, tenant } = of;
  if ("directory" in target) {
    const key = directoryKey(resolve(renderDirectory(target.directory, tenant)));
    return [{ ...of, key, what: "directory" }];
  }
  const { registry, repository, tag } = target;
  // The manifest names the tenant: bundles of two tenants never have the same digest.
  if (tag.includes("{digest}")) return [];
  // A literal tag may equal another template once it is rendered.
  const rendered = renderTag(tag, { ...unknown, profile, tenant })
    .replace(/\d{8}T\d{6}Z/g, unknown.created);
  // Two configured names may mean the same registry.
  const host = URL.parse(registries[registry]?.url ?? "")?.host ?? registry;
  return [{ ...of, key: `${host} ${repository}:${rendered}`, what: "tag" }];
}

/**
 * Equal for all paths of the same directory: links may lead there, and vfat, macOS and Windows
 * ignore case and form.
 */
function directoryKey(path: string): string {
  return realPath(path).normalize("NFC").toLowerCase();
}

/** Placeholders: the time and digest of a bundle are not known yet. */
const unknown: Pick<TagValues, "created" | "digest"> = { created: "{created}", digest: "{digest}" };

/** The length of a tag depends on the names of tenant and profile. */
function tagFaults(
  profile: string,
  tenants: readonly string[],
  target: Target,
  at: number,
): Fault[] {
  if ("directory" in target) return [];
  const values = { created: "2026-01-01T00:00:00Z", digest: "0".repeat(64), profile };
  const bad = tenants.find((tenant) => !isTag(renderTag(target.tag, { ...values, tenant })));
  if (bad === undefined) return [];
  const place = ["profiles", profile, "targets", at, "tag"];
  return [{ place, text: `is no tag for the tenant ${bad}: at most 128 characters` }];
}

/**
 * A bundle inside the directory of another one counts too: verification would report its files as
 * unlisted.
 */
function sharedFaults(claims: readonly Claim[]): Fault[] {
  const byKey = Map.groupBy(claims, ({ key }) => key);
  const faults = new Map<string, Fault>();
  for (const claim of claims) {
    const places = claim.what === "tag" ? [claim.key] : [...withAncestors(claim.key)];
    const met = places.flatMap((key) => byKey.get(key) ?? [])
      .filter(({ tenant }) => tenant !== claim.tenant);
    for (const one of met.length === 0 ? [] : [claim, ...met]) {
      const place = ["profiles", one.profile, "targets", one.at];
      const id = JSON.stringify(place);
      if (!faults.has(id)) faults.set(id, { place, text: shared(claim, met) });
    }
  }
  return [...faults.values()];
}

function shared(claim: Claim, met: readonly Claim[]): string {
  const names = [claim, ...met].slice(0, 3).map(({ tenant, profile }) =>
    `${tenant} (profile ${profile})`
  );
  return `is one ${claim.what} for several tenants: ${names.join(", ")}: put {tenant} into it, ` +
    "or name one tenant in `tenants` of the profile";
}
