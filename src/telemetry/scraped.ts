/**
 * Metrics computed at scrape time: a gauge that is incremented and decremented would be wrong after
 * the first crash.
 */
import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";

/** Times in milliseconds since 1970. */
export interface QueueFigures {
  queued: number;
  running: number;
  oldestQueuedAt: number | undefined;
  /** By profile: the start of the oldest running export. */
  oldestRunningAt: ReadonlyMap<string, number>;
}

export interface ProcessFigures {
  /** Seconds since 1970. */
  startedAt: number;
  /** User and system time. */
  cpuSeconds: number;
  residentBytes: number;
}

/** Returns a function that updates the values. */
export function addQueueMetrics(
  registry: Registry,
  profiles: readonly string[],
): (figures: QueueFigures) => void {
  const depth = gauge(registry, "export_queue_depth", "Exports that wait.");
  const running = gauge(registry, "export_jobs_running", "Exports that run.");
  const waiting = gauge(
    registry,
    "export_queue_oldest_job_timestamp_seconds",
    "When the oldest waiting export was asked for, 0 where none waits.",
  );
  const oldest = new Gauge({
    name: "export_running_oldest_job_start_timestamp_seconds",
    help: "When the oldest running export of the profile started, 0 where none runs.",
    registers: [registry],
    labelNames: ["profile"],
  });
  return (figures) => {
    depth.set(figures.queued);
    running.set(figures.running);
    waiting.set((figures.oldestQueuedAt ?? 0) / 1000);
    for (const profile of profiles) {
      oldest.set({ profile }, (figures.oldestRunningAt.get(profile) ?? 0) / 1000);
    }
  };
}

/**
 * The three process metrics that need no permission; prom-client's own read /proc, which is not
 * accessible.
 */
export function addProcessMetrics(registry: Registry): (figures: ProcessFigures) => void {
  const started = gauge(
    registry,
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
  );
  const resident = gauge(
    registry,
    "process_resident_memory_bytes",
    "Resident memory size in bytes.",
  );
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
    registers: [registry],
  });
  return (figures) => {
    started.set(figures.startedAt);
    resident.set(figures.residentBytes);
    cpu.reset();
    cpu.inc(figures.cpuSeconds);
  };
}

/** Reads this process; `startedAt` is milliseconds since 1970. */
export function processFigures(startedAt: number): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    startedAt: startedAt / 1000,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
  };
}

function gauge(registry: Registry, name: string, help: string): Gauge {
  return new Gauge({ name, help, registers: [registry] });
}
