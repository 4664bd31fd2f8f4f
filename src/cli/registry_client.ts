/** A registry as a command line names it. The reference that a person types is the permission to go there. */
import { join } from "node:path";
import type { EgressPolicy } from "../config/egress.ts";
import { refuseHostileEnvironment } from "../config/hostile_environment.ts";
import { loginFiles, stateDirectory } from "../config/paths.ts";
import type { RegistryClient } from "../registry/client.ts";
import { openRegistry } from "../registry/open.ts";
import { endpointOf, type Reference } from "../registry/reference.ts";
import { systemTiming } from "../registry/retry.ts";
import { UploadFolder } from "../registry/sessions.ts";
import type { Host } from "./host.ts";

export interface RegistryFlags {
  plainHttp?: boolean;
  ca?: string;
  credentials?: string;
  clientCert?: string;
  clientKey?: string;
}

/** Reads the files that the flags name; talks to nobody yet. `policy` is that of egress.ts. @throws StellaError usage */
export function clientFor(
  reference: Reference,
  flags: RegistryFlags,
  host: Host,
  policy: EgressPolicy,
): RegistryClient {
  refuseHostileEnvironment(host.environment);
  const { ca, credentials, clientCert, clientKey } = flags;
  const settings = {
    endpoint: endpointOf(reference, {
      ...(flags.plainHttp ? { plainHttp: true } : {}),
      ...(ca === undefined ? {} : { ca: true }),
    }),
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { clientCertificate: clientCert }),
    ...(clientKey === undefined ? {} : { clientKey }),
    repository: reference.repository,
    ...credentialsOf(credentials, host),
  };
  return openRegistry(settings, { timing: systemTiming, policy, ...uploadsOf(host) });
}

/** What `docker login` or `podman login` left serves those who name nothing. */
function credentialsOf(named: string | undefined, host: Host) {
  if (named !== undefined) return { credentialsFile: named };
  return { loginFiles: loginFiles(host.environment) };
}

/** Without a state directory an upload that was cut off begins anew. */
function uploadsOf(host: Host) {
  const state = stateDirectory(host.environment);
  return state === undefined ? {} : { uploads: new UploadFolder(join(state, "uploads"), host.now) };
}
