/** The schema of stella.yaml in zod: unknown keys are errors, and all defaults are here. */
import { isObject } from "../domain/json.ts";
import * as z from "zod";
import { egressFault } from "../domain/egress.ts";
import { isName } from "../domain/names.ts";
import { profileSchema } from "./profile_schema.ts";
import { registrySchema, tracesSchema } from "./registry_schema.ts";
import { anonymous, defaultService } from "./service.ts";
import { serviceSchema, tokenSchema } from "./service_schema.ts";
import { targetFaults } from "./target_tenants.ts";

export type ParsedConfig = z.output<typeof configSchema>;

const nameRule = "must be 1 to 64 of a-z 0-9 . _ - with a letter or digit at both ends";

const egressSchema = z.strictObject({
  sealed: z.boolean().default(false),
  allow: z.array(
    z.string().superRefine((entry, context) => {
      const message = egressFault(entry);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    }),
  ).default([]),
});

const name = z.string().refine(isName, nameRule);

/** The schema of the whole file. */
export const configSchema = z.strictObject({
  version: z.literal(1, "must be 1"),
  registries: z.record(name, registrySchema).default({}),
  tenants: z.array(name).min(1, "must name at least one tenant")
    .refine(isDistinct, "must not repeat a name").default(["default"]),
  profiles: z.record(name, profileSchema).default({}),
  egress: egressSchema.default({ sealed: false, allow: [] }),
  timeline: z.strictObject({ days: z.number().int().min(1).max(3650) })
    .default({ days: 90 }),
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

export interface Fault {
  /** Keys and indexes from the root to the fault. */
  place: PropertyKey[];
  text: string;
}

/**
 * Faults between parts of the file. It examines the unchecked value, because zod skips refinements
 * if there are other faults, and all faults are reported at once.
 */
export function crossFaults(value: unknown): Fault[] {
  const registries = mapOf(mapOf(value)["registries"]);
  const profiles = Object.entries(mapOf(mapOf(value)["profiles"]));
  return [
    ...tokenFaults(value),
    ...profiles.flatMap(([name, profile]) => [
      ...(name === "kit"
        ? [{ place: ["profiles", "kit"], text: "is built in: use another name" }]
        : []),
      ...kindFaults(name, mapOf(profile)),
      ...tenantFaults(value, ["profiles", name, "tenants"], listOf(mapOf(profile)["tenants"])),
      ...scheduleFaults(value, name, mapOf(profile)),
      ...targetsOf(profile).flatMap((target, at): Fault[] => {
        const registry = mapOf(target)["registry"];
        if (typeof registry !== "string" || Object.hasOwn(registries, registry)) return [];
        const place = ["profiles", name, "targets", at, "registry"];
        return [{ place, text: "is not one of the registries" }];
      }),
    ]),
  ];
}

/** The tenant of a schedule must be a tenant of the profile. */
function scheduleFaults(value: unknown, name: string, profile: Record<string, unknown>): Fault[] {
  const { tenant } = mapOf(profile["schedule"]);
  const place = ["profiles", name, "schedule", "tenant"];
  const unknown = tenantFaults(value, place, [tenant]);
  const { tenants } = profile;
  if (unknown.length > 0 || tenant === undefined || !Array.isArray(tenants)) return unknown;
  return tenants.includes(tenant) ? [] : [{ place, text: "is not one of the profile's tenants" }];
}

function tokenFaults(value: unknown): Fault[] {
  const tokens = Object.entries(mapOf(mapOf(value)["tokens"]));
  return tokens.flatMap(([name, token], at) => {
    const { tenants, sha256 } = mapOf(token);
    const twin = tokens.slice(0, at).find(([, other]) => mapOf(other)["sha256"] === sha256)?.[0];
    const text = `is already used by the token ${twin}: a token has one set of rights`;
    return [
      ...(name === anonymous
        ? [{ place: ["tokens", name], text: "is reserved for requests without a token" }]
        : []),
      ...tenantFaults(value, ["tokens", name, "tenants"], listOf(tenants)),
      ...(twin === undefined || sha256 === undefined
        ? []
        : [{ place: ["tokens", name, "sha256"], text }]),
    ];
  });
}

function tenantFaults(value: unknown, place: PropertyKey[], named: unknown[]): Fault[] {
  const tenants = mapOf(value)["tenants"] ?? ["default"];
  const unknown = named.filter((one) =>
    typeof one === "string" && Array.isArray(tenants) && !tenants.includes(one)
  );
  return unknown.length === 0 ? [] : [{ place, text: "is not one of the tenants" }];
}

/** Each kind of profile requires its list. */
function kindFaults(name: string, profile: Record<string, unknown>): Fault[] {
  const fault = (key: string, text: string) => ({ place: ["profiles", name, key], text });
  const missing = "is missing: a list goes here";
  const { kind, sources, providers } = profile;
  if (name === "__proto__") return [];
  return [
    ...(kind === "files" && sources === undefined ? [fault("sources", missing)] : []),
    ...(kind === "risk" && providers === undefined ? [fault("providers", missing)] : []),
    ...(kind === "files" && providers !== undefined
      ? [fault("providers", "is for profiles of the kind risk")]
      : []),
  ];
}

function targetsOf(profile: unknown): unknown[] {
  return listOf(mapOf(profile)["targets"]);
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
