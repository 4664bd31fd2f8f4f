/**
 * What the program may do, once: deno.json's tasks, `deno compile` and the launcher are generated from this list
 * (tests/build/permissions_test.ts holds them to it), and verify asks for exactly these grants after giving them up.
 *
 * read, write and net are whole, because a person names any path and any registry on the command line;
 * verification gives write, net, env and sys up before it reads the first untrusted byte.
 */

/** The only variables that the program can see; all others read as unset (`--ignore-env`). */
export const environmentNames = [
  // systemd: where the credentials of the service lie
  "CREDENTIALS_DIRECTORY",
  "HOME",
  "JOURNAL_STREAM",
  "NOTIFY_SOCKET",
  "NO_COLOR",
  "SOURCE_DATE_EPOCH",
  "STATE_DIRECTORY",
  "STELLA_CONFIG",
  "STELLA_DATA",
  // HOME, in the portable form: there Deno itself must not see HOME, it would read .npmrc in it
  "STELLA_HOME",
  "STELLA_LISTEN",
  "STELLA_SELF",
  "STELLA_URL",
  "TERM",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_CONFIG_HOME",
  "XDG_STATE_HOME",
] as const;

/**
 * Variables that reach past Deno's permissions (proxies see credentials, SSLKEYLOGFILE writes TLS secrets, ...).
 * They are readable so that a command which uses the network can refuse to start while one is set.
 */
export const hostileNames = [
  "ALL_PROXY",
  "DENO_AUDIT_PERMISSIONS",
  "DENO_CERT",
  "DENO_PERMISSION_BROKER_PATH",
  "DENO_TLS_CA_STORE",
  "DENO_V8_FLAGS",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "NODE_EXTRA_CA_CERTS",
  "NODE_OPTIONS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "NODE_USE_ENV_PROXY",
  "OTEL_DENO",
  "SSLKEYLOGFILE",
  "all_proxy",
  "http_proxy",
  "https_proxy",
] as const;

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

/**
 * What a command has no use for, and gives up before its own code is loaded. The verifying commands are not here: they keep
 * reading alone, once they know whom to trust (src/verify/confine.ts). `version` says what there is, so it gives nothing up.
 */
export const spared: Readonly<Record<string, readonly Grant["name"][]>> = {
  "assets list": ["net", "write", "sys"],
  "assets write": ["net", "sys"],
  "health": ["write", "sys"],
  "jobs cancel": ["write", "sys"],
  "jobs list": ["write", "sys"],
  "jobs purge": ["write", "sys"],
  "jobs retry": ["write", "sys"],
  "keys generate": ["net"],
  "keys show": ["net", "write"],
  "keys trust": ["net"],
  "spans": ["sys"],
  "status": ["write", "sys"],
  "timeline": ["write", "sys"],
};

/** Of what Deno calls unstable: workers without permissions, and datagrams over Unix sockets (telemetry/notify.ts). */
export const unstableFlags: readonly string[] = ["--unstable-net", "--unstable-worker-options"];

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
