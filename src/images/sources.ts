/** The registries that images are read from, with a client for each login. */
import type { RegistryClient } from "../registry/client.ts";
import {
  loginKey,
  openRegistry,
  type RegistryDependencies,
  type RegistrySettings,
} from "../registry/open.ts";
import { Repository } from "../registry/repository.ts";
import type { ImageReference } from "../domain/image_reference.ts";

export interface ImageSourceOptions extends RegistryDependencies {
  /** How a registry, `HOST[:PORT]` as in the reference, is reached. */
  settingsOf: (registry: string) => RegistrySettings;
  signal: AbortSignal;
}

export class ImageSources {
  /** Repositories with the same login share connections. */
  readonly #clients = new Map<string, RegistryClient>();

  constructor(readonly options: ImageSourceOptions) {}

  /** Makes no connection yet. @throws StellaError usage, config */
  repository({ registry, repository }: ImageReference): Repository {
    const { settingsOf, signal, ...dependencies } = this.options;
    const settings = { ...settingsOf(registry), repository };
    const key = `${registry} ${loginKey(settings)}`;
    const open = () => openRegistry(settings, dependencies);
    const client = this.#clients.getOrInsertComputed(key, open);
    return new Repository(client, repository, { access: "pull", signal });
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}
