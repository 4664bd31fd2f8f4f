/**
 * A registry named on a command line. On a sealed site only `egress.allow` may be connected to,
 * also by its token servers and redirects.
 */
import { loadConfig } from "../config/load.ts";
import { egressPolicy } from "../domain/egress.ts";
import { join } from "node:path";
import { loginFiles, stateDirectory } from "../config/paths.ts";
import type { RegistryClient } from "../registry/client.ts";
import { openRegistry } from "../registry/open.ts";
import { endpointOf, hostOf, type Reference } from "../domain/reference.ts";
import { timingOf } from "../net/retry.ts";
import { UploadFolder } from "../registry/sessions.ts";
import type { CommonFlags } from "./command.ts";
import type { Host } from "./host.ts";
import { checkEnvironment } from "./network.ts";
import type { RegistryFlags } from "./options.ts";

/** Reads the configuration and the files of the flags; makes no connection yet. */
export async function clientFor(
  reference: Reference,
  flags: RegistryFlags & Pick<CommonFlags, "config" | "quiet">,
  host: Host,
): Promise<RegistryClient> {
  const { ca, credentials, clientCert, clientKey } = flags;
  const settings = {
    endpoint: endpointOf(reference, { plainHttp: flags.plainHttp === true, ca: ca !== undefined }),
    ca,
    clientCertificate: clientCert,
    clientKey,
    repository: reference.repository || undefined,
    ...credentialsOf(credentials, host),
  };
  checkEnvironment([hostOf(settings.endpoint.url)], flags, host);
  const where = { flag: flags.config, environment: host.environment };
  const { config } = await loadConfig(where);
  const policy = egressPolicy(config.egress);
  return openRegistry(settings, { timing: timingOf(host), policy, ...uploadsOf(host) });
}

/** Without flags, the logins of `docker login` or `podman login` are used. */
function credentialsOf(named: string | undefined, host: Host) {
  if (named !== undefined) return { credentialsFile: named };
  return { loginFiles: loginFiles(host.environment) };
}

/** Without a state directory, interrupted uploads start again. */
export function uploadsOf(host: Host) {
  const state = stateDirectory(host.environment);
  return state === undefined ? {} : { uploads: new UploadFolder(join(state, "uploads"), host.now) };
}
