/**
 * Where keys, credentials and state lie that no bundle may hold: what bundle/private_files.ts is
 * told.
 */
import { join } from "node:path";
import type { Config } from "./load.ts";
import { type Environment, loginFiles, stateDirectory } from "./paths.ts";

/**
 * Of the configuration and the environment; a command adds the files that were named to it.
 * @param state the state directory, where it is known already
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
      ...(state === undefined ? [] : inState(state)),
      ...(credentials ? [credentials] : []),
    ],
  };
}

/**
 * What is being made moves from `tmp` into the store while these are listed: the place that it
 * leaves comes first.
 */
function inState(state: string): string[] {
  return [join(state, "tmp"), state];
}
