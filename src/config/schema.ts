/** The schema of stella.yaml in zod: unknown keys are errors, and all defaults are here. */
import { isObject } from "../domain/json.ts";
import * as z from "zod";
import { isName } from "../domain/names.ts";
import { profileSchema } from "./profile_schema.ts";
import { hostEntry, registrySchema, tracesSchema } from "./registry_schema.ts";
import { anonymous, defaultService } from "./service.ts";
import { serviceSchema, tokenSchema } from "./service_schema.ts";
import { type Fault, targetFaults } from "./target_tenants.ts";

export type ParsedConfig = z.output<typeof configSchema>;

const nameRule = "must be 1 to 64 of a-z 0-9 . _ - with a letter or digit at both ends";

const egressSchema = z.strictObject({
  sealed: z.boolean().default(false),
  allow: z.array(hostEntry).default([]),
});

const name = z.string().refine(isName, nameRule);

export const configSchema = z.strictObject({
  version: z.literal(1, "must be 1"),
  registries: z.record(name, registrySchema).default({}),
  tenants: z.array(name).min(1, "must name at least one tenant")
    .refine(isDistinct, "must not repeat a name").default(["default"]),
  profiles: z.record(name, profileSchema).default({}),
  egress: egressSchema.default({ sealed: false, allow: [] }),
  timeline: z.strictObject({ days: z.number().int().min(1).max(3650) }).default({ days: 90 }),
  traces: tracesSchema.exactOptional(),
  service: serviceSchema.default(defaultService),
  tokens: z.record(name, tokenSchema).default({}),
}).superRefine((value, context) => {
  for (const { place, text } of targetFaults(value)) {
    context.addIssue({ code: "custom", path: place, message: text });
  }
}).transform(({ version: _, registries, profiles, tokens, ...rest }) => ({
  ...rest,
  registries: listed(registries),
  profiles: listed(profiles),
  tokens: listed(tokens),
}));

function listed<One>(named: Readonly<Record<string, One>>): ({ name: string } & One)[] {
  return Object.entries(named).map(([name, one]) => ({ name, ...one }));
}

/**
 * Faults between parts of the file. It examines the unchecked value, because zod skips refinements
 * if there are other faults, and all faults are reported at once.
 */
export function crossFaults(value: unknown): Fault[] {
  const { registries, tenants = ["default"], profiles, tokens } = mapOf(value);
  const known: KnownTenants = (...named) =>
    !Array.isArray(tenants) ||
    named.every((one) => typeof one !== "string" || tenants.includes(one));
  return [
    ...tokenFaults(Object.entries(mapOf(tokens)), known),
    ...Object.entries(mapOf(profiles)).flatMap(([name, profile]) =>
      name === "__proto__" ? [] : profileFaults(name, mapOf(profile), known, mapOf(registries))
    ),
  ];
}

/** Whether all of them are tenants; anything but a text is another check's fault. */
type KnownTenants = (...named: unknown[]) => boolean;

const unknownTenant = "is not one of the tenants";

function tokenFaults(tokens: [string, unknown][], areTenants: KnownTenants): Fault[] {
  return tokens.flatMap(([name, token], at) => {
    const { tenants, sha256 } = mapOf(token);
    const other = tokens.slice(0, at).find(([, one]) => mapOf(one)["sha256"] === sha256)?.[0];
    const fault = faultsOf("tokens", name);
    return [
      ...fault(name === anonymous, [], "is reserved for requests without a token"),
      ...fault(!areTenants(...listOf(tenants)), ["tenants"], unknownTenant),
      ...fault(
        other !== undefined && sha256 !== undefined,
        ["sha256"],
        `is already used by the token ${other}: a token has one set of rights`,
      ),
    ];
  });
}

function profileFaults(
  name: string,
  profile: Record<string, unknown>,
  areTenants: KnownTenants,
  registries: Record<string, unknown>,
): Fault[] {
  const { kind, sources, providers, images, tenants, targets } = profile;
  const { tenant } = mapOf(profile["schedule"]);
  const fault = faultsOf("profiles", name);
  const isOfOthers = areTenants(tenant) && tenant !== undefined && Array.isArray(tenants) &&
    !tenants.includes(tenant);
  const missing = "is missing: a list goes here";
  return [
    ...fault(name === "kit", [], "is built in: use another name"),
    ...fault(kind === "files" && sources === undefined, ["sources"], missing),
    ...fault(kind === "risk" && providers === undefined, ["providers"], missing),
    ...fault(kind === "images" && images === undefined, ["images"], missing),
    ...fault(
      (kind === "files" || kind === "images") && providers !== undefined,
      ["providers"],
      "is for profiles of the kind risk",
    ),
    ...fault(
      kind === "images" && sources !== undefined,
      ["sources"],
      "is not for profiles of the kind images",
    ),
    ...fault(
      (kind === "files" || kind === "risk") && images !== undefined,
      ["images"],
      "is for profiles of the kind images",
    ),
    ...fault(!areTenants(...listOf(tenants)), ["tenants"], unknownTenant),
    ...fault(!areTenants(tenant), ["schedule", "tenant"], unknownTenant),
    ...fault(isOfOthers, ["schedule", "tenant"], "is not one of the profile's tenants"),
    ...listOf(targets).flatMap((target, at) => {
      const { registry } = mapOf(target);
      const isUnknown = typeof registry === "string" && !Object.hasOwn(registries, registry);
      return fault(isUnknown, ["targets", at, "registry"], "is not one of the registries");
    }),
  ];
}

/** Gives the fault at a key below `of`, if there is one. */
function faultsOf(...of: string[]) {
  return (isThere: boolean, below: PropertyKey[], text: string): Fault[] =>
    isThere ? [{ place: [...of, ...below], text }] : [];
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function mapOf(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

function isDistinct(names: string[]): boolean {
  return new Set(names).size === names.length;
}
