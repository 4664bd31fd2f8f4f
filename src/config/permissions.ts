/**
 * What the program may do, once: deno.json's tasks, `deno compile` and the launcher are generated from this list
 * (tests/build/permissions_test.ts holds them to it), and verify asks for exactly these grants after giving them up.
 *
 * read, write and net are whole, because a person names any path and any registry on the command line; what a command has no
 * use for it gives up (the declarations of src/cli/commands), and verification all but read before it reads the first untrusted byte.
 */

/** The only variables that the program can see; all others read as unset (`--ignore-env`). */
export const environmentNames = [
  // systemd: where the credentials of the service lie
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
  // HOME, in the portable form: there Deno itself must not see HOME, it would read .npmrc in it
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

/**
 * Variables of proxies and certificates that the transport does not heed; readable so that a
 * command can say so.
 */
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

/**
 * Variables that Deno obeys on its own, past its permissions (SSLKEYLOGFILE has TLS secrets
 * written, OTEL_DENO connects, DENO_SERVE_ADDRESS listens elsewhere, ...); readable so that a
 * command which uses the network can refuse to start while one is set.
 */
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

/** System facts: statfs for free space and the kind of file system, hostname for the log's instance. */
export const systemFacts = ["hostname", "statfs"] as const;

export interface Grant {
  name: "read" | "write" | "net" | "env" | "sys";
  /** Absent: the whole of it. */
  values?: readonly string[];
}

export const grants: readonly Grant[] = [
  { name: "read" },
  { name: "write" },
  { name: "net" },
  { name: "env", values: [...environmentNames, ...hostileNames] },
  { name: "sys", values: systemFacts },
];

/** Of what Deno calls unstable: workers without permissions, and datagrams over Unix sockets (telemetry/notify.ts). */
export const unstableFlags: readonly string[] = ["--unstable-net", "--unstable-worker-options"];

/**
 * How V8 keeps the promise of 200 MiB (README, Speed) in three isolates: small young generations, whose garbage goes at once, and
 * old ones that are collected when they have grown by a fifth. An export of many small files pays for that with a sixth of its speed.
 */
export const engineFlags = "--v8-flags=--max-semi-space-size=1,--heap-growing-percent=20";

/** The flags of `deno run` and `deno compile`; `--no-remote` and the import host that cannot exist end remote code. */
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
