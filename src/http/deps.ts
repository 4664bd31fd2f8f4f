/** What the app is made of; everything is handed in, so that a test can hand in something else. */
import type { Hono } from "hono";
import type { Config } from "../config/load.ts";
import type { Feed } from "../jobs/feed.ts";
import type { Job } from "../jobs/job.ts";
import type { JobQueue } from "../jobs/job_queue.ts";
import type { Timeline } from "../jobs/timeline.ts";
import type { FileStore, StoredBundle } from "../store/files/store.ts";
import type { Audit } from "../telemetry/audit.ts";
import type { RequestTrace } from "../telemetry/export_trace.ts";
import type { Refusal } from "../domain/labels.ts";
import type { Scrape } from "../telemetry/metrics.ts";
import type { Build } from "../domain/version.ts";
import type { Scope } from "../config/service.ts";
import type { Liveness } from "./liveness.ts";
import type { Readiness } from "./readiness.ts";

/** One token's rights; the same object for all its requests. */
export interface Access {
  /** Who acts, for the log and the export: the name of the token. */
  actor: string;
  tenants: readonly string[];
  scopes: readonly Scope[];
}

/** What @hono/node-server hands over; absent where a test asks the app directly. */
export interface NodeBindings {
  incoming?: { rawHeaders: string[]; socket?: { remoteAddress?: string } };
}

/** Paths, and what identifies the configuration that is in force. */
export interface Origin {
  /** The state directory. */
  state: string;
  /** The file as it was when it was read; absent where there is none. */
  configuration?: { path: string; sha256: string };
}

/** What the routes of operations need: nothing here can change anything. */
export interface OpsDeps {
  build: Build;
  /** Hex sha256 of the one file that runs, as it was at the start; absent where it runs from its source. */
  binary?: Promise<string | undefined>;
  config: Config;
  /** Where it runs and what it was told, for those who have a token. */
  origin: Origin;
  /** How many connections were refused since the service started. */
  egress: { readonly count: number };
  /** PEM of the key that exports are signed with; undefined before the first one has made it. */
  publicKey(): string | undefined;
  liveness: Pick<Liveness, "report">;
  readiness: Pick<Readiness, "report">;
  /** In OpenMetrics, with exemplars, where `openMetrics` says so. */
  scrape(openMetrics: boolean): Promise<Scrape>;
  /** A request was answered; `route` is a template of ours, never the caller's path. */
  onAnswered(method: string, route: string, status: number, seconds: number): void;
  /** A request was not taken, because there is enough to do. */
  onRefused(reason: Refusal): void;
  /** Takes down who was refused, and who did what. */
  audit: Pick<Audit, "did" | "refused">;
  /** Milliseconds that only ever grow. */
  elapsed(): number;
  /** An error that no caller is to blame for. */
  onFault(error: unknown): void;
}

export interface ServerDeps extends OpsDeps {
  queue: JobQueue;
  timeline: Pick<Timeline, "get" | "list">;
  store: Pick<FileStore, "find" | "remove">;
  /** What is known to be wrong with a stored bundle: the first file that differs from its manifest. */
  damageOf?(bundle: StoredBundle): { path: string } | undefined;
  feed: Feed;
  isDraining(): boolean;
  /** Begins the trace of a request from its traceparent header; absent where traces are off. */
  trace?(traceparent: string | undefined): RequestTrace;
  /** Called when a new job is on the disk, or one that ended is queued again. */
  onQueued(job: Job): void;
  /** Somebody wants this job to end; where it waited, it has. */
  onCancelled(job: Job): void;
}

export interface AppEnvironment {
  Bindings: NodeBindings;
  Variables: { access: Access };
}

export type App = Hono<AppEnvironment>;
