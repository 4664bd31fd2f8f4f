/**
 * Finds, reads and checks the configuration. All faults are reported at once, each with its line
 * and key. Without a file the configuration has the profile `kit`, the tenant `default` and no
 * registry. No file is ever read from the working directory, which may be a hostile stick.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { tryIo } from "../domain/io_errors.ts";
import { sha256 } from "../domain/hash.ts";
import { type Environment, stateDirectory } from "./paths.ts";
import type { Profile, RegistryConfig } from "./profile.ts";
import type { ParsedConfig } from "./schema.ts";
import { defaultService } from "./service.ts";

export interface Config extends Omit<ParsedConfig, "registries" | "profiles"> {
  registries: ReadonlyMap<string, RegistryConfig>;
  /** By name; always has `kit`. */
  profiles: ReadonlyMap<string, Profile>;
}

export interface LoadedConfig {
  config: Config;
  /** Path of the file; undefined if there is none. */
  path: string | undefined;
  sha256?: string;
}

const systemFile = "/etc/stella/stella.yaml";
/** Far above real files, and no burden for the parser. */
const maxConfigBytes = 1024 * 1024;

const kit: Profile = { name: "kit", kind: "kit", sources: [], compression: "zstd", targets: [] };

/**
 * Reads `flag`, otherwise STELLA_CONFIG, `<state>/stella.yaml`, or /etc/stella/stella.yaml. The
 * first two must exist if they are given.
 * @throws StellaError usage with one finding per fault
 */
export async function loadConfig(
  where: { flag?: string | undefined; environment: Environment; systemFile?: string },
): Promise<LoadedConfig> {
  const path = findFile(where.flag, where.environment, where.systemFile ?? systemFile);
  if (path === undefined) return { config: configOf(withoutFile, where.environment), path };
  const bytes = readSmall(path);
  // Parser and schema take 80 ms to load: not needed without a configuration file.
  const { parseConfig } = await import("./parse.ts");
  const parsed = parseConfig(path, new TextDecoder().decode(bytes));
  return { config: configOf(parsed, where.environment), path, sha256: sha256(bytes) };
}

function findFile(
  flag: string | undefined,
  environment: Environment,
  system: string,
): string | undefined {
  const named = flag ?? environment("STELLA_CONFIG");
  if (named !== undefined && named !== "") return named;
  const state = stateDirectory(environment);
  const candidates = state === undefined ? [system] : [join(state, "stella.yaml"), system];
  return candidates.find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
}

function readSmall(path: string): Uint8Array {
  return tryIo("Cannot read the configuration", path, () => {
    const stat = statSync(path);
    if (stat.isFile() && stat.size <= maxConfigBytes) return readFileSync(path);
    const found = stat.isFile() ? "larger than 1 MiB" : "not a regular file";
    const what = `Cannot read the configuration ${JSON.stringify(path)}: ${found}`;
    throw new StellaError("configuration_invalid", what, { hint: "name a YAML file" });
  });
}

/** Without a file: the defaults of schema.ts. */
const withoutFile: ParsedConfig = {
  registries: [],
  tenants: ["default"],
  profiles: [],
  egress: { sealed: false, allow: [] },
  timeline: { days: 90 },
  service: defaultService,
  tokens: [],
};

function configOf(
  { registries, profiles, ...rest }: ParsedConfig,
  environment: Environment,
): Config {
  return {
    ...rest,
    registries: new Map(registries.map((one) => [one.name, located(one, environment)])),
    profiles: new Map([kit, ...profiles].map((one) => [one.name, one])),
  };
}

/** systemd puts credentials into a directory of its own; elsewhere the path shows where. */
function located(registry: RegistryConfig, environment: Environment): RegistryConfig {
  if (registry.credential === undefined) return registry;
  const directory = environment("CREDENTIALS_DIRECTORY") || "/run/credentials/stella.service";
  return { ...registry, credentialsFile: join(directory, registry.credential) };
}
