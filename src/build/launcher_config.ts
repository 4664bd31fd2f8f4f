/** Generates launcher_config.h, the arguments and environment of Deno, from permissions.ts. */
import { trailerMagic } from "../assets/self.ts";
import {
  engineFlags,
  environmentNames,
  hostileNames,
  permissionFlags,
  unstableFlags,
} from "../config/permissions.ts";
import { StellaError } from "../domain/errors.ts";

/** Deno's arguments before the script's path; those of the user follow it. */
export const launcherArguments: readonly string[] = [
  "run",
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-code-cache",
  "--cached-only",
  ...unstableFlags,
  engineFlags,
  "--ext=js",
  ...permissionFlags(),
];

/** Variables in which the launcher passes the program's path, and HOME; never outside values. */
const selfName = "STELLA_SELF";
const homeName = "STELLA_HOME";

/**
 * Variables that the launcher sets. No cache (databases written at each start): nothing can exist
 * below a file, and /proc/self/exe is a file everywhere. No update check, no telemetry of Deno. No
 * HOME, because Deno reads .npmrc there and ends if it has a fault: nobody can create files in
 * /proc. On a terminal Deno logs that it could not open cache databases, even with `--quiet`: the
 * errors of that module are switched off, all others are shown.
 */
export const setVariables: readonly string[] = [
  "DENO_DIR=/proc/self/exe/none",
  "DENO_LOG=error,deno::cache::cache_db=off",
  "DENO_NO_UPDATE_CHECK=1",
  "HOME=/proc/none",
  "OTEL_DENO=false",
];

/**
 * Variables that the launcher passes on. Of the hostile ones only those that act when a connection
 * is made, so that network commands can report that they are ignored, as in the other forms. Deno
 * obeys the rest before the program starts: it creates the file named in SSLKEYLOGFILE, connects
 * for OTEL_DENO, asks DENO_PERMISSION_BROKER_PATH for permissions, reads NODE_OPTIONS; and the
 * dynamic loader obeys LD_*. Those are dropped.
 */
export function passedNames(): string[] {
  const own = environmentNames.filter((name) => !["HOME", homeName, selfName].includes(name));
  return [...own, ...hostileNames.filter((name) => !actsAtStart(name))].sort();
}

/** Whether Deno or the loader obeys it before the program starts. */
export function actsAtStart(name: string): boolean {
  return /^(DENO|OTEL|LD)_/.test(name) || ["NODE_OPTIONS", "SSLKEYLOGFILE"].includes(name);
}

/** The header file. `glibcMinor`: the newest glibc 2.N that Deno's executable needs. */
export function launcherConfig(glibcMinor: number): string {
  return [
    "/* Generated from src/config/permissions.ts by src/build/launcher_config.ts. */",
    `#define ARGUMENTS ${launcherArguments.map(quoted).join(", ")}`,
    `#define PASSED_NAMES ${passedNames().map(quoted).join(", ")}`,
    `#define SET_VARIABLES ${setVariables.map(quoted).join(", ")}`,
    `#define HOME_NAME ${quoted(homeName)}`,
    `#define SELF_NAME ${quoted(selfName)}`,
    `#define TRAILER_MAGIC ${quoted(trailerMagic)}`,
    `#define GLIBC_MINOR ${glibcMinor}`,
    `#define GLIBC_MINOR_TEXT "${glibcMinor}"`,
    "",
  ].join("\n");
}

/** A C string; text that would need escapes is a defect. */
function quoted(text: string): string {
  if (/^[\w.,:=/-]+$/.test(text)) return `"${text}"`;
  const found = `Cannot put ${JSON.stringify(text)} into launcher_config.h`;
  throw new StellaError("build_failed", found);
}
