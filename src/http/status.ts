/**
 * `/status`: what runs and which features are on, for everybody who can reach the service. Paths
 * and the configuration's digest would help an attacker: they need a token.
 */
import type { Config } from "../config/load.ts";
import type { OpsDeps } from "./deps.ts";

export async function statusOf({ build, binary, config, egress, origin }: OpsDeps, known: boolean) {
  const sha256 = await binary;
  const { version, commit, buildDate, form } = build;
  return {
    ...{ version, commit, buildDate, form },
    ...(sha256 === undefined ? {} : { binary: { sha256 } }),
    features: featuresOf(config),
    egress: { sealed: config.egress.sealed, refused: egress.count },
    ...(known ? origin : {}),
  };
}

/** Features that are on. An auditor wants to see that tokens, and usually traces, are off. */
function featuresOf(config: Config): Record<string, boolean> {
  const { registries, egress, traces, tokens, service } = config;
  const profiles = [...config.profiles.values()];
  const targets = profiles.flatMap((profile) => profile.targets);
  return {
    directoryTargets: targets.some((target) => "directory" in target),
    registryTargets: registries.size > 0,
    retention: profiles.some(({ retention }) => retention !== undefined),
    schedules: profiles.some(({ schedule }) => schedule !== undefined),
    scrub: service.scrubDays > 0,
    sealed: egress.sealed,
    tls: service.tls !== undefined,
    tokens: tokens.length > 0,
    traces: traces !== undefined,
  };
}
