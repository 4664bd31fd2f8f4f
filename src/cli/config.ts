/** `stella config check|show|schema`: the configuration, and what it lets this machine reach. */
import { exitCodes, StellaError } from "../domain/errors.ts";
import { escaped, shown } from "../domain/names.ts";
import { destinations } from "../config/destinations.ts";
import { isAllowed } from "../domain/egress.ts";
import { hostOf, portOf } from "../domain/reference.ts";
import { type Config, loadConfig } from "../config/load.ts";
import { stateDirectory } from "../config/paths.ts";
import { type WritableSource, writableSources } from "../config/source_writers.ts";
import { readTls } from "../config/tls_files.ts";
import type { CommonFlags, Result } from "./command.ts";
import type { Host } from "./host.ts";
import { plural } from "./render.ts";
import { plainOf, schemaOf, yamlOf } from "../config/show.ts";

interface Destination {
  /** `registry site`, `profile risk` or `traces`. */
  of: string;
  /** `HOST:PORT`. */
  destination: string;
  allowed: boolean;
}

/** Code 0, or 2 if something is configured that egress refuses. @throws StellaError config */
export async function checkConfig(
  options: Pick<CommonFlags, "config"> & { destination: string | undefined },
  host: Host,
): Promise<Result> {
  const where = { flag: options.config, environment: host.environment };
  const { config, path } = await loadConfig(where);
  if (options.destination !== undefined) return checkOne(options.destination, config);
  if (config.service.tls !== undefined) readTls(config.service.tls);
  const reach = destinationsOf(config);
  const code = reach.every((one) => one.allowed) ? 0 : 2;
  const state = stateDirectory(host.environment);
  const open = writableSources(config.profiles.values(), state, maxDirectories);
  return {
    code,
    json: {
      path: path ?? null,
      profiles: [...config.profiles.keys()],
      egress: { ...config.egress, reach },
      openSources: open,
      findings: [],
    },
    text: textOf(config, path, reach) + openText(open),
  };
}

/** Directories examined per source. */
const maxDirectories = 100_000;

/** A warning: whoever can write there decides what is packed. */
function openText(open: readonly WritableSource[]): string {
  return open.map(({ profile, path, writer }) =>
    `warning: other users can write to a source of ${escaped(profile)}: ${
      shown(path)
    }: ${writer}\n` +
    "  hint: allow only root and the user of the service to write there, or export a snapshot\n"
  ).join("");
}

function checkOne(destination: string, { egress }: Config): Result {
  const url = URL.parse(`tcp://${destination}`);
  if (url === null || url.port === "") {
    const what = `Cannot check ${shown(destination)}: not in the form HOST:PORT`;
    throw new StellaError("argument_invalid", what, {
      hint: "for example: stella config check --destination registry.site:5000",
    });
  }
  const allowed = isAllowed(egress, hostOf(url), Number(url.port));
  const code = allowed ? exitCodes.ok : exitCodes.policy;
  return {
    code,
    json: { destination, allowed, findings: [] },
    text: `${escaped(destination)} is ${allowed ? "allowed" : "refused"}\n`,
  };
}

function destinationsOf(config: Config): Destination[] {
  return destinations(config).map(({ of, url }) => {
    const allowed = isAllowed(config.egress, hostOf(url), portOf(url));
    return { of, destination: `${url.hostname}:${portOf(url)}`, allowed };
  });
}

function textOf(config: Config, path: string | undefined, reach: Destination[]): string {
  const { sealed, allow } = config.egress;
  const unused = allow.filter((entry) =>
    !reach.some(({ destination }) => {
      const url = new URL(`tcp://${destination}`);
      return isAllowed({ sealed: true, allow: [entry] }, hostOf(url), portOf(url));
    })
  );
  const lines = [
    path === undefined ? "no configuration file, using defaults" : `OK: ${path}`,
    `  profiles   ${[...config.profiles.keys()].join(", ")}`,
    sealed
      ? `  egress     sealed: allowed: ${allow.join(", ") || "no connections"}`
      : "  egress     open: all connections are allowed",
    `  reaches    ${reach.length === 0 ? "nothing" : plural(reach.length, "destination")}`,
    ...reach.map((one) =>
      `    ${one.destination} (${one.of})${
        one.allowed ? "" : ": REFUSED, it is not in egress.allow"
      }`
    ),
    ...(sealed ? unused.map((entry) => `    ${entry}: allowed, and nothing here needs it`) : []),
    ...(!sealed && allow.length > 0
      ? ["  egress.allow has no effect while egress.sealed is false"]
      : []),
  ];
  return lines.map(escaped).join("\n") + "\n";
}

export function showSchema(): Result {
  const schema = schemaOf();
  return { json: { schema, findings: [] }, text: JSON.stringify(schema, null, 2) + "\n" };
}

/** The configuration with all defaults. @throws StellaError usage with every fault */
export async function showConfig(
  options: Pick<CommonFlags, "config">,
  host: Host,
): Promise<Result> {
  const where = { flag: options.config, environment: host.environment };
  const { config, path } = await loadConfig(where);
  const plain = plainOf(config);
  const from = path === undefined ? "no configuration file, using defaults" : `from ${path}`;
  return {
    json: { path: path ?? null, config: plain, findings: [] },
    text: `# ${escaped(from)}\n${yamlOf(plain)}`,
  };
}
