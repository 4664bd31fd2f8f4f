/** The readiness check that warns if others can write to sources. */
import type { Profile } from "../config/profile.ts";
import { writableSources } from "../config/source_writers.ts";
import type { Check, CheckResult } from "./readiness.ts";

/** Directories examined per source, and milliseconds between two examinations. */
const maxDirectories = 500;
const interval = 10 * 60 * 1000;

export function sourceWriters(
  profiles: readonly Profile[],
  state: string,
  elapsed: () => number,
): Check {
  let last: { at: number; result: CheckResult } | undefined;
  return {
    name: "sources:writers",
    limit: 2_000,
    late: "warn",
    run: () => {
      if (last === undefined || elapsed() - last.at >= interval) {
        last = { at: elapsed(), result: look(profiles, state) };
      }
      return last.result;
    },
  };
}

/** Without paths: callers of readiness need not know the server's directories. */
function look(profiles: readonly Profile[], state: string): CheckResult {
  const names = new Set(writableSources(profiles, state, maxDirectories).map((one) => one.profile));
  if (names.size === 0) return { status: "pass" };
  const list = [...names].join(", ");
  const output = `other users can write to sources of ${list}: see \`stella config check\``;
  return { status: "warn", output };
}
