/** What the app is made of; everything is handed in, so that a test can hand in something else. */
import type { Hono } from "hono";
import type { Config } from "../config/load.ts";
import type { Job } from "../jobs/job.ts";
import type { Queue } from "../jobs/queue.ts";
import type { Timeline } from "../jobs/timeline.ts";
import type { RequestTrace } from "../telemetry/export_trace.ts";
import type { Scrape } from "../telemetry/metrics.ts";
import type { Build } from "../version.ts";
import type { NodeBindings } from "./guard.ts";
import type { Liveness } from "./liveness.ts";
import type { Readiness } from "./readiness.ts";

export interface ServerDeps {
  build: Build;
  /** Hex sha256 of the one file that runs, as it was at the start; absent where it runs from its source. */
  binary?: Promise<string | undefined>;
  config: Config;
  queue: Queue;
  timeline: Pick<Timeline, "get" | "list">;
  /** How many connections were refused since the service started. */
  egress: { readonly count: number };
  liveness: Pick<Liveness, "report">;
  readiness: Pick<Readiness, "report">;
  scrape(): Promise<Scrape>;
  isDraining(): boolean;
  /** Begins the trace of a request from its traceparent header; absent where traces are off. */
  trace?(traceparent: string | undefined): RequestTrace;
  /** Called when a new job is on the disk. */
  onQueued(job: Job): void;
  /** An error that no caller is to blame for. */
  onFault(error: unknown): void;
}

export type App = Hono<{ Bindings: NodeBindings }>;
