/** The metrics of a service after one export, read once for all tests of a file. */
import assert from "node:assert/strict";
import { Home } from "../support/program.ts";

let scraped: Promise<string> | undefined;

/** The text of /metrics of a service that has exported the profile `kit`. */
export function metricsAfterExport(): Promise<string> {
  scraped ??= scrape();
  return scraped;
}

async function scrape(): Promise<string> {
  const home = new Home();
  try {
    const service = await home.serve();
    try {
      const job = await service.export({ profile: "kit" });
      assert.equal(job.state, "succeeded", JSON.stringify(job));
      return await service.get("/metrics");
    } finally {
      await service.stop();
    }
  } finally {
    home.remove();
  }
}

/** The names of the metric families that a PromQL expression reads. */
export function metricsOf(expression: string): string[] {
  const names = expression.match(/\bexport_[a-z0-9_]+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(bucket|count|sum)$/, "")))];
}

/** Whether the service exposes a metric, whatever its value. */
export function isExposed(metrics: string, name: string): boolean {
  return new RegExp(`^# TYPE ${name} `, "m").test(metrics);
}
