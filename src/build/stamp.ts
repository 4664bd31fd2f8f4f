/** The commit being built and its time: the only facts of a build that are not in the files. */
import { StellaError } from "../domain/errors.ts";
import { run } from "./run.ts";

export interface Stamp {
  /** 40 hex digits, or `unknown` outside a Git checkout. */
  commit: string;
  /** RFC 3339, seconds. */
  date: string;
  /** Whether files differ from the commit. */
  modified: boolean;
}

/** The commit of `root`; without one SOURCE_DATE_EPOCH, else 1980: never the clock. */
export async function readStamp(root: string): Promise<Stamp> {
  const git = (...args: string[]) => run("git", ["-C", root, ...args]);
  const shown = await git("show", "--no-patch", "--format=%H %ct", "HEAD");
  const [, commit, seconds] = /^([0-9a-f]{40}) (\d+)\s*$/.exec(shown.stdout) ?? [];
  if (shown.code !== 0 || commit === undefined) {
    return { commit: "unknown", date: dateOf(epochFromEnvironment()), modified: false };
  }
  const status = await git("status", "--porcelain", "--untracked-files=all");
  return { commit, date: dateOf(Number(seconds)), modified: status.stdout !== "" };
}

/** The line before the bundle; src/domain/version.ts reads it. */
export function stampLine({ commit, date }: Stamp): string {
  return `globalThis.STELLA_BUILD=${JSON.stringify({ commit, date })};\n`;
}

function epochFromEnvironment(): number {
  const text = Deno.env.get("SOURCE_DATE_EPOCH");
  if (text === undefined || text === "") return Date.UTC(1980, 0, 1) / 1000;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  const found = `Cannot build: SOURCE_DATE_EPOCH is ${JSON.stringify(text)}`;
  throw new StellaError("environment_invalid", found, {
    hint: "give whole seconds since 1970, or unset it",
  });
}

function dateOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
