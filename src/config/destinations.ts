/** The destinations of a configuration: registries, downloads, the trace collector. */
import type { Config } from "./load.ts";

export interface Destination {
  /** `registry site`, `profile risk`, `traces`. */
  of: string;
  url: URL;
}

export function destinations({ registries, profiles, traces }: Config): Destination[] {
  const named = [
    ...[...registries.values()].map(({ name, url }) => [`registry ${name}`, url] as const),
    ...[...profiles.values()].flatMap(({ name, providers = [] }) =>
      providers.flatMap(({ url }) => url === undefined ? [] : [[`profile ${name}`, url] as const])
    ),
    ...(traces === undefined ? [] : [["traces", traces.endpoint] as const]),
  ];
  return named.map(([of, text]) => ({ of, url: new URL(text) }));
}
