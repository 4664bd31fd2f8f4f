/** The destinations of a configuration: registries, downloads, the trace collector. */
import { parseImage } from "../domain/image_reference.ts";
import { endpointOf } from "../domain/reference.ts";
import type { Config } from "./load.ts";
import { isServedBy } from "./profile.ts";

export interface Destination {
  /** `registry site`, `profile risk`, `traces`. */
  of: string;
  url: URL;
}

export function destinations({ registries, profiles, traces }: Config): Destination[] {
  const configured = [...registries.values()];
  /** Of registries that are not configured. */
  const addressesOf = (images: readonly string[]) => {
    const named = new Set(images.map((image) => parseImage(image).registry));
    return [...named].filter((one) => !configured.some((registry) => isServedBy(registry, one)))
      .map((authority) => endpointOf({ authority }).url.href);
  };
  return [
    ...configured.map(({ name, url }) => ({ of: `registry ${name}`, url })),
    ...profiles.values().flatMap(({ name, providers = [], images = [] }) =>
      [...providers.map(({ url }) => url), ...addressesOf(images)].map((url) => ({
        of: `profile ${name}`,
        url,
      }))
    ),
    { of: "traces", url: traces?.endpoint },
  ].flatMap(({ of, url }) => url === undefined ? [] : { of, url: new URL(url) });
}
