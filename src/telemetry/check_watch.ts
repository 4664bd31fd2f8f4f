/** Readiness as log and metrics see it: gauges every round, a line only where something changed. */
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

interface WatchedCheck {
  name: string;
  status: "pass" | "warn" | "fail";
  output?: string;
  /** Milliseconds since 1970. */
  time: number;
}

const severities = { pass: "INFO", warn: "WARN", fail: "ERROR" } as const;

/** Returns what takes the results of each round. */
export function watchChecks(log: Log, metrics: Metrics): (checks: readonly WatchedCheck[]) => void {
  const last = new Map<string, string>();
  return (checks) => {
    for (const { name, status, output, time } of checks) {
      metrics.checked(name, status, time);
      const isNews = status !== (last.get(name) ?? "pass");
      last.set(name, status);
      if (!isNews) continue;
      log(severities[status], "readiness.changed", "A readiness check changed", {
        check: name,
        status,
        ...(output === undefined ? {} : { detail: output }),
      });
    }
  };
}
