/** Prints the configuration and its schema. */
import { stringify } from "yaml";
import { type core, toJSONSchema } from "zod";
import { descriptions } from "./descriptions.ts";
import type { Config } from "./load.ts";
import type { Profile, RegistryConfig } from "./profile.ts";
import { configSchema } from "./schema.ts";

/**
 * JSON Schema 2020-12, for editors and early checks. It knows keys and types; rules for values, and
 * between parts of the file, are in parse.ts.
 */
export function schemaOf(): Record<string, unknown> {
  const schema = toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
  for (const { path, schema: part } of keysOf(schema)) {
    if (descriptions[path] !== undefined) part.description = descriptions[path];
  }
  return { title: "stella.yaml", ...schema };
}

type KeySchema = core.JSONSchema.JSONSchema;

/** A key of the configuration as descriptions.ts spells it, such as `registries.NAME.url`. */
export interface Key {
  path: string;
  schema: KeySchema;
  required: boolean;
}

/** All keys below a schema, each map before its content. */
export function keysOf(schema: KeySchema, path = ""): Key[] {
  const { properties = {}, additionalProperties: values, items, required = [] } = schema;
  const own = Object.entries(properties).flatMap(([name, part]): Key[] => {
    if (typeof part === "boolean") return [];
    const key = path === "" ? name : `${path}.${name}`;
    return [{ path: key, schema: part, required: required.includes(name) }, ...keysOf(part, key)];
  });
  return [
    ...own,
    ...(typeof values === "object" ? keysOf(values, `${path}.NAME`) : []),
    ...(typeof items === "object" && !Array.isArray(items) ? keysOf(items, `${path}[]`) : []),
  ];
}

export function yamlOf(plain: Record<string, unknown>): string {
  return stringify(plain);
}

/** In the form of a file: parse.ts reads the same again. The built-in profile is omitted. */
export function plainOf(
  { registries, profiles, tokens, tenants, service, ...rest }: Config,
): Record<string, unknown> {
  const { stallSeconds, ...others } = service;
  const named = [...profiles.values()].filter(({ kind }) => kind !== "kit");
  return {
    version: 1,
    registries: byName([...registries.values()].map(plainRegistry)),
    tenants,
    profiles: byName(named.map(plainProfile)),
    ...rest,
    service: { ...others, stallTimeout: `${stallSeconds}s` },
    tokens: byName(tokens),
  };
}

/** The path of a systemd credential is derived, not configured. */
function plainRegistry({ credentialsFile, ...rest }: RegistryConfig) {
  const isFile = credentialsFile !== undefined && rest.credential === undefined;
  return { ...rest, ...(isFile ? { credentialsFile } : {}) };
}

function plainProfile({ sources, slaSeconds, ...rest }: Profile) {
  const plain = sources.map(({ path, ...others }) => ({ files: path, ...others }));
  return {
    ...rest,
    ...(plain.length === 0 ? {} : { sources: plain }),
    ...(slaSeconds === undefined ? {} : { sla: `${slaSeconds}s` }),
  };
}

function byName(all: readonly { name: string }[]): Record<string, unknown> {
  return Object.fromEntries(all.map(({ name, ...rest }) => [name, rest]));
}
