/**
 * Paths of keys, credentials and state that must never be packed: input of bundle/private_files.ts.
 */
import { join } from "node:path";
import type { Config } from "./load.ts";
import { type Environment, loginFiles, stateDirectory } from "./paths.ts";

/**
 * From the configuration and the environment; commands add files named on the command line.
 * @param state the state directory, if already known
 */
export function privatePlacesOf(
  config: Pick<Config, "registries" | "profiles" | "service">,
  environment: Environment,
  state: string | undefined = stateDirectory(environment),
): { files: string[]; directories: string[] } {
  const files = [
    ...[...config.registries.values()].flatMap((one) => [one.credentialsFile, one.clientKey]),
    ...[...config.profiles.values()].map((one) => one.secretFile),
    config.service.tls?.key,
    ...loginFiles(environment),
    environment("STELLA_TOKEN_FILE") || undefined,
  ];
  const credentials = environment("CREDENTIALS_DIRECTORY");
  return {
    files: files.filter((path) => path !== undefined),
    directories: [
      // A new bundle may move from `tmp` into the store meanwhile: `tmp` first, so it is not missed.
      ...(state === undefined ? [] : [join(state, "tmp"), state]),
      ...(credentials ? [credentials] : []),
    ],
  };
}
