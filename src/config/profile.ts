/**
 * The types of a configuration, as the schemas declare it; descriptions.ts says what each key
 * means. Without zod at run time, so that a command line without configuration can create a
 * profile.
 */
import type * as z from "zod";
import type { profileSchema, sourceSchema, targetSchema } from "./profile_schema.ts";
import type { providerSchema } from "./provider_schema.ts";
import type { registrySchema } from "./registry_schema.ts";

export interface FilesSource extends z.output<typeof sourceSchema> {
  /** Percent-encode names that a payload cannot hold; the caller records the true names. */
  encodeNames?: boolean;
  /** Expected digest of the source's index lines; set if the files were read before. */
  sha256?: string;
}

export type ProviderConfig = z.output<typeof providerSchema>;

/** `{tenant}` in a directory or a tag is the tenant of the export; see target_tenants.ts. */
export type Target = z.output<typeof targetSchema>;

type ConfiguredProfile = z.output<typeof profileSchema>;

export interface Profile extends Omit<ConfiguredProfile, "kind" | "sources"> {
  name: string;
  kind: ConfiguredProfile["kind"] | "kit";
  sources: FilesSource[];
}

/** For every other tenant the profile does not exist. */
export function belongsTo({ tenants }: Pick<Profile, "tenants">, tenant: string): boolean {
  return tenants === undefined || tenants.includes(tenant);
}

/** Whether `registry`, `HOST[:PORT]` of a reference to an image, is this one. */
export function isServedBy(
  { url, serves }: Pick<RegistryConfig, "url" | "serves">,
  registry: string,
): boolean {
  return (serves ?? new URL(url).host) === registry;
}

/** Where `credential` is given, load.ts sets `credentialsFile` to where systemd puts it. */
export type RegistryConfig = { name: string } & z.output<typeof registrySchema>;
