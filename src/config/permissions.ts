/**
 * The permissions of the program: deno.json's tasks, `deno compile` and the launcher are generated
 * from this list (checked by tests/build/permissions_test.ts), and verify queries exactly these
 * grants after dropping them.
 *
 * read, write and net are unrestricted, because the user names any path and registry on the command
 * line; each command drops what it does not need (see its declaration), and verification drops all
 * but read before it reads the first untrusted byte.
 */

import type { Grant } from "../domain/permissions.ts";

/** The only variables that the program can see; all others read as unset (`--ignore-env`). */
export const environmentNames = [
  // systemd: the directory of the service's credentials
  "CREDENTIALS_DIRECTORY",
  "DOCKER_CONFIG",
  "HOME",
  "JOURNAL_STREAM",
  "NOTIFY_SOCKET",
  "NO_COLOR",
  "REGISTRY_AUTH_FILE",
  "SOURCE_DATE_EPOCH",
  "STATE_DIRECTORY",
  "STELLA_CONFIG",
  "STELLA_DATA",
  // HOME in the portable form: Deno must not see HOME there, because it would read .npmrc in it
  "STELLA_HOME",
  "STELLA_LISTEN",
  "STELLA_OPS_LISTEN",
  "STELLA_SELF",
  "STELLA_TOKEN_FILE",
  "STELLA_URL",
  "TERM",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "XDG_STATE_HOME",
] as const;

/** Variables of proxies and certificates that the transport ignores; readable for the warning. */
export const ignoredNames = [
  "ALL_PROXY",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "NODE_EXTRA_CA_CERTS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "NODE_USE_ENV_PROXY",
  "all_proxy",
  "http_proxy",
  "https_proxy",
] as const;

/** Variables that Deno obeys regardless of its permissions: network commands refuse to start. */
export const refusedNames = [
  "DENO_AUDIT_PERMISSIONS",
  "DENO_PERMISSION_BROKER_PATH",
  "DENO_SERVE_ADDRESS",
  "DENO_V8_FLAGS",
  "NODE_OPTIONS",
  "OTEL_DENO",
  "SSLKEYLOGFILE",
] as const;

export const hostileNames = [...ignoredNames, ...refusedNames].sort();

/** System information: statfs for free space and file system type, hostname for the log. */
export const systemFacts = ["hostname", "statfs"] as const;

export const grants: readonly Grant[] = [
  { name: "read" },
  { name: "write" },
  { name: "net" },
  { name: "env", values: [...environmentNames, ...hostileNames] },
  { name: "sys", values: systemFacts },
];

/** Workers without permissions, and datagrams over Unix sockets (telemetry/notify.ts). */
export const unstableFlags: readonly string[] = ["--unstable-net", "--unstable-worker-options"];

/**
 * V8 flags that keep three isolates below 200 MiB: small young generations, collected often, and
 * old generations collected after growing by a fifth. An export of many small files loses a sixth
 * of its speed.
 */
export const engineFlags = "--v8-flags=--max-semi-space-size=1,--heap-growing-percent=20";

/** For `deno run` and `compile`; `--no-remote` and an impossible host prevent remote code. */
export function permissionFlags(): string[] {
  return [
    "--no-prompt",
    "--no-remote",
    "--allow-import=none.invalid",
    "--ignore-env",
    ...grants.map((g) =>
      g.values ? `--allow-${g.name}=${g.values.join(",")}` : `--allow-${g.name}`
    ),
  ];
}
