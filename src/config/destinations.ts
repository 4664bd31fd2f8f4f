/** The destinations of a configuration: registries, downloads, the trace collector. */
import type { Config } from "./load.ts";

export interface Destination {
  /** `registry site`, `profile risk`, `traces`. */
  of: string;
  url: URL;
}

export function destinations({ registries, profiles, traces }: Config): Destination[] {
  return [
    ...registries.values().map(({ name, url }) => ({ of: `registry ${name}`, url })),
    ...profiles.values().flatMap(({ name, providers = [] }) =>
      providers.map(({ url }) => ({ of: `profile ${name}`, url }))
    ),
    { of: "traces", url: traces?.endpoint },
  ].flatMap(({ of, url }) => url === undefined ? [] : { of, url: new URL(url) });
}
