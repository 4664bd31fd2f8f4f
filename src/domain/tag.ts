/** Tags of bundles in a registry: a template with {created}, {profile}, {tenant}, {digest}. */
import { isTag } from "./reference.ts";

const placeholders = ["created", "profile", "tenant", "digest"] as const;
export type TagValues = Record<typeof placeholders[number], string>;

/** The longest values, to check a template early; for tenant names see target_tenants.ts. */
const longestValues: TagValues = {
  created: "2026-01-01T00:00:00Z",
  profile: "p".repeat(64),
  tenant: "t",
  digest: "0".repeat(64),
};

/** Why `template` is not valid, or undefined. */
export function tagFault(template: string): string | undefined {
  const unknown = [...template.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? "")
    .filter((name) => !placeholders.some((one) => one === name));
  if (unknown.length > 0) {
    return `unknown placeholder {${unknown[0]}}, use {created} {profile} {tenant} {digest}`;
  }
  return isTag(renderTag(template, longestValues))
    ? undefined
    : "it does not give a valid tag: 1 to 128 of a-z A-Z 0-9 _ . - without a leading dot or dash";
}

/**
 * `created` becomes `20260101T000000Z`: a tag has no colon. `digest`: 64 hex digits.
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * const [profile, tenant, digest] = ["kit", "north", "0".repeat(64)];
 * const values = { created: "2026-01-01T00:00:00Z", profile, tenant, digest };
 * equal(renderTag("{profile}-{created}", values), "kit-20260101T000000Z");
 * ```
 */
export function renderTag(template: string, values: TagValues): string {
  return template.replaceAll("{created}", values.created.replace(/[-:]/g, ""))
    .replaceAll("{profile}", values.profile)
    .replaceAll("{tenant}", values.tenant)
    .replaceAll("{digest}", values.digest);
}
