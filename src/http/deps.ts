/** Dependencies of the app, all passed in, so that tests can replace them. */
import type { Clocks } from "../domain/time.ts";
import type { Hono, MiddlewareHandler } from "hono";
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

/** The rights of a token; the same object for all its requests. */
export interface Access {
  actor: string;
  tenants: readonly string[];
  scopes: readonly Scope[];
}

/** Passed by @hono/node-server; absent if a test calls the app directly. */
export interface NodeBindings {
  incoming?: { rawHeaders: string[]; socket?: { remoteAddress?: string } };
}

/** Paths, and identification of the active configuration. */
export interface Origin {
  state: string;
  /** Path and digest of the file when it was read; absent if there is none. */
  configuration?: { path: string; sha256: string };
}

/** Dependencies of the operations routes: nothing here can change anything. */
export interface OpsDeps extends Pick<Clocks, "elapsed"> {
  build: Build;
  /** SHA-256 of the executable in hex, as of startup; absent when running from source. */
  binary?: Promise<string | undefined>;
  config: Config;
  origin: Origin;
  egress: { readonly count: number };
  /** PEM of the signing key; undefined until the first export has created it. */
  publicKey(): string | undefined;
  liveness: Pick<Liveness, "report">;
  readiness: Pick<Readiness, "report">;
  /** In OpenMetrics, with exemplars, if `openMetrics`. */
  scrape(openMetrics: boolean): Promise<Scrape>;
  /** Called after each response; `route` is one of our templates, never the caller's path. */
  onAnswered(method: string, route: string, status: number, seconds: number): void;
  onRefused(reason: Refusal): void;
  audit: Pick<Audit, "did" | "refused">;
  onFault(error: unknown): void;
}

export interface ServerDeps extends OpsDeps {
  queue: JobQueue;
  timeline: Pick<Timeline, "get" | "list">;
  store: Pick<FileStore, "find" | "remove">;
  /** Known damage of a stored bundle: the first file that differs from its manifest. */
  damageOf?(bundle: StoredBundle): { path: string } | undefined;
  feed: Feed;
  isDraining(): boolean;
  /** Starts the trace of a request from its traceparent header; absent if traces are off. */
  trace?(traceparent: string | undefined): RequestTrace;
  /** Called when a new job is durable, or an ended one is queued again. */
  onQueued(job: Job): void;
  /** Called when a job is cancelled; a waiting one has ended already. */
  onCancelled(job: Job): void;
}

export interface AppEnvironment {
  Bindings: NodeBindings;
  Variables: { access: Access };
}

export type App = Hono<AppEnvironment>;
export type Handler = MiddlewareHandler<AppEnvironment>;
