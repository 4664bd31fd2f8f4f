/** Every kind of secret file that the configuration and the environment name is private. */
import assert from "node:assert/strict";
import { defaultService } from "../../src/config/service.ts";
import { privatePlacesOf } from "../../src/config/private_places.ts";

Deno.test("keys, credentials, secrets, logins and the state directory are private", () => {
  const registry = {
    name: "site",
    url: "https://registry.site",
    credentialsFile: "/etc/stella/site.json",
    clientCertificate: "/etc/stella/client.pem",
    clientKey: "/etc/stella/client.key",
  };
  const profile = {
    name: "p",
    kind: "files" as const,
    sources: [],
    secretFile: "/etc/stella/shared.key",
    compression: "zstd" as const,
    targets: [],
  };
  const config = {
    registries: new Map([["site", registry]]),
    profiles: new Map([["p", profile]]),
    service: { ...defaultService, tls: { certificate: "/etc/tls.pem", key: "/etc/tls.key" } },
  };
  const environment = {
    STELLA_DATA: "/var/lib/stella",
    CREDENTIALS_DIRECTORY: "/run/credentials/stella.service",
    HOME: "/home/a",
    DOCKER_CONFIG: "/home/a/docker",
    STELLA_TOKEN_FILE: "/home/a/token",
  } as Record<string, string>;
  const { files, directories } = privatePlacesOf(config, (name) => environment[name]);
  assert.deepEqual(files, [
    "/etc/stella/site.json",
    "/etc/stella/client.key",
    "/etc/stella/shared.key",
    "/etc/tls.key",
    "/home/a/docker/config.json",
    "/home/a/token",
  ]);
  assert.deepEqual(directories, [
    "/var/lib/stella/tmp",
    "/var/lib/stella",
    "/run/credentials/stella.service",
  ]);
});
