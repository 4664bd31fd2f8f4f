/** `/status`: what runs. For everybody who can reach the service: no path, no digest of a configuration. */
import type { Config } from "../config/load.ts";
import type { OpsDeps } from "./deps.ts";

export async function statusOf({ build, binary, config, egress }: OpsDeps) {
  const sha256 = await binary;
  const { version, commit, buildDate, form } = build;
  const refused = { egress: { sealed: config.egress.sealed, refused: egress.count } };
  const whole = sha256 === undefined ? {} : { binary: { sha256 } };
  return { version, commit, buildDate, form, ...whole, features: featuresOf(config), ...refused };
}

/** What is switched on. That tokens and mostly traces are off is what an auditor wants to read. */
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
