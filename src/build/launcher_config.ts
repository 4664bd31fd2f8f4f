/** launcher_config.h: what the launcher (launcher.c) does with arguments and environment, from the one list of permissions. */
import { trailerMagic } from "../assets/self.ts";
import {
  engineFlags,
  environmentNames,
  hostileNames,
  permissionFlags,
  unstableFlags,
} from "../config/permissions.ts";
import { StellaError } from "../domain/errors.ts";

/** The arguments that Deno gets before the script's path; the person's own come after it and mean nothing to Deno. */
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

/** The launcher tells the program its own path, and HOME, in these; values from outside are never passed on. */
const selfName = "STELLA_SELF";
const homeName = "STELLA_HOME";

/**
 * No cache (it would be databases, written at each start): nothing can lie below a file, and
 * /proc/self/exe is one everywhere, also where there is no /dev/null. No look for a newer Deno, no
 * telemetry of Deno's own. And no HOME, because Deno reads .npmrc there at each start and ends at a
 * fault in it: nobody can make files in /proc. On a terminal Deno reports the databases of the
 * cache that it could not open, as errors, which `--quiet` lets through: those of that module are
 * switched off, and all other errors are still shown.
 */
export const setVariables: readonly string[] = [
  "DENO_DIR=/proc/self/exe/none",
  "DENO_LOG=error,deno::cache::cache_db=off",
  "DENO_NO_UPDATE_CHECK=1",
  "HOME=/proc/none",
  "OTEL_DENO=false",
];

/**
 * The variables that get through. Of the hostile ones those that act only when a connection is
 * made, so that a command which makes one can say that they are ignored, as in the other forms.
 * Deno obeys the rest before the program's first line: it makes the file that SSLKEYLOGFILE names,
 * connects for OTEL_DENO, asks DENO_PERMISSION_BROKER_PATH for permissions, reads NODE_OPTIONS; and
 * the system's loader obeys LD_*. Those are left out, which ends them.
 */
export function passedNames(): string[] {
  const own = environmentNames.filter((name) => !["HOME", homeName, selfName].includes(name));
  return [...own, ...hostileNames.filter((name) => !actsAtStart(name))].sort();
}

/** Whether Deno or the loader obeys it before the program's first line. */
export function actsAtStart(name: string): boolean {
  return /^(DENO|OTEL|LD)_/.test(name) || ["NODE_OPTIONS", "SSLKEYLOGFILE"].includes(name);
}

/** The header file. `glibcMinor`: the newest version 2.N of glibc that Deno's executable asks for. */
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

/** A C string; text that would need escapes has no business in the list. */
function quoted(text: string): string {
  if (/^[\w.,:=/-]+$/.test(text)) return `"${text}"`;
  throw new StellaError("internal", `Cannot put ${JSON.stringify(text)} into launcher_config.h`);
}
