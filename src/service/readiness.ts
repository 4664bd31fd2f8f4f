/** The readiness checks of a service. */
import { join } from "node:path";
import type { RegistryConfig } from "../config/profile.ts";
import { build } from "../domain/version.ts";
import type { Ground } from "./ground.ts";
import type { ServiceOptions } from "./options.ts";
import type { Rooms } from "./rooms.ts";
import type { Signing } from "./signing.ts";
import type { Tls } from "./tls.ts";

export function readinessOf(
  options: ServiceOptions,
  rooms: Rooms,
  { lock, log, queue, metrics, policy }: Ground,
  { signing, tls }: { signing: Signing; tls: Tls },
  isDraining: () => boolean,
) {
  const { state, config, now, elapsed, attestation } = options;
  const profiles = [...config.profiles.values()];
  const { buildDate } = build();
  return new rooms.Readiness({
    checks: [
      rooms.storageWrite(join(state, "store")),
      rooms.storageFree(state, (space) => metrics.storage(space)),
      rooms.databaseWrite(queue),
      rooms.lockHeld(lock),
      signing.check,
      ...tls.checks,
      rooms.clockSane({ now, elapsed, buildDate, onSetBack: () => metrics.clockSetBack() }),
      ...rooms.registryChecks([...config.registries.values()], profiles, pingOf(rooms, policy)),
      rooms.sourceWriters(profiles, state, elapsed),
      ...rooms.targetChecks(profiles, config.tenants),
      rooms.attestationVerify(
        attestation,
        ({ ok, reason }) => metrics.verified(ok ? "success" : "failed", reason),
      ),
    ],
    now,
    elapsed,
    isDraining,
    onRound: rooms.watchChecks(log, metrics),
  });
}

function pingOf(rooms: Rooms, policy: Ground["policy"]) {
  return async (registry: RegistryConfig, signal: AbortSignal) => {
    const endpoint = rooms.parseEndpoint(registry.url, registry.plainHttp);
    const { url: _, plainHttp: __, credentialsFile: ___, ...files } = registry;
    const timing = rooms.systemTiming;
    const client = rooms.openRegistry({ endpoint, ...files }, { timing, policy });
    await client.ping(signal).finally(() => client.close());
  };
}
