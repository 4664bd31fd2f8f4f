/** Readiness in log and metrics: gauges every round, a log line only for a change. */
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

export function watchChecks(log: Log, metrics: Metrics): (checks: readonly WatchedCheck[]) => void {
  const last = new Map<string, string>();
  return (checks) => {
    for (const { name, status, output, time } of checks) {
      metrics.checked(name, status, time);
      const isNews = status !== (last.get(name) ?? "pass");
      last.set(name, status);
      if (!isNews) continue;
      const fields = { check: name, status, detail: output };
      log(severities[status], "readiness.changed", "readiness check changed", fields);
    }
  };
}
