/** The readiness checks of a service. */
import { parseEndpoint } from "../domain/reference.ts";
import * as checks from "../http/checks.ts";
import { Readiness } from "../http/readiness.ts";
import { targetChecks } from "../http/target_check.ts";
import { type Clock, timingOf } from "../net/retry.ts";
import { openRegistry } from "../registry/open.ts";
import { watchChecks } from "../telemetry/check_watch.ts";
import { join } from "node:path";
import type { RegistryConfig } from "../config/profile.ts";
import { build } from "../domain/version.ts";
import type { ServiceResources } from "./resources.ts";
import type { ServiceOptions } from "./options.ts";
import type { Signing } from "./signing.ts";
import type { Tls } from "./tls.ts";

export function createReadiness(
  options: ServiceOptions,
  { lock, log, queue, metrics, policy }: ServiceResources,
  { signing, tls }: { signing: Signing; tls: Tls },
  isDraining: () => boolean,
) {
  const { state, config, now, elapsed, random, attestation } = options;
  const profiles = [...config.profiles.values()];
  const { buildDate } = build();
  const onSetBack = () => metrics.count("export_clock_regressions_total", {});
  return new Readiness({
    checks: [
      checks.storageWrite(join(state, "store"), random),
      checks.storageFree(state, (space) => metrics.storage(space)),
      checks.databaseWrite(queue),
      checks.lockHeld(lock),
      signing.check,
      ...tls.checks,
      checks.clockSane({ now, elapsed, buildDate, onSetBack }),
      ...checks.registryChecks([...config.registries.values()], profiles, pingOf(policy, options)),
      checks.sourceWriters(profiles, state, elapsed),
      ...targetChecks(profiles, config.tenants),
      checks.attestationVerify(
        attestation,
        ({ ok, reason }) => metrics.verified(ok ? "success" : "failed", reason),
      ),
    ],
    now,
    elapsed,
    isDraining,
    onRound: watchChecks(log, metrics),
  });
}

function pingOf(policy: ServiceResources["policy"], clock: Clock) {
  const timing = timingOf(clock);
  return async (registry: RegistryConfig, signal: AbortSignal) => {
    const endpoint = parseEndpoint(registry.url, registry.plainHttp);
    const { url: _, plainHttp: __, credentialsFile: ___, ...files } = registry;
    const client = openRegistry({ endpoint, ...files }, { timing, policy });
    await client.ping(signal).finally(() => client.close());
  };
}
