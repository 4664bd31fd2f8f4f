/** How the registries that images come from are reached. */
import { isServedBy, type RegistryConfig } from "../config/profile.ts";
import { endpointOf, parseEndpoint } from "../domain/reference.ts";
import type { RegistrySettings } from "../registry/open.ts";

/** For registries that are not configured. */
export type ImageAccess =
  & Omit<RegistrySettings, "endpoint" | "repository" | "redirects">
  & { plainHttp?: boolean };

interface Registries {
  readonly registries: readonly RegistryConfig[];
  readonly imageAccess: ImageAccess;
}

/** A registry of the configuration, else the one of the reference with the access of the command. */
export function settingsFor(
  registry: string,
  { registries, imageAccess }: Registries,
): RegistrySettings {
  const configured = registries.find((one) => isServedBy(one, registry));
  if (configured !== undefined) {
    const { url, plainHttp, name: _, credential: __, serves: ___, ...files } = configured;
    return { endpoint: parseEndpoint(url, plainHttp), ...files };
  }
  const { plainHttp = false, ca, ...files } = imageAccess;
  const endpoint = endpointOf({ authority: registry }, { plainHttp, ca: ca !== undefined });
  return { endpoint, ca, ...files };
}
