/** Reports an export to log and metrics; its log lines share exportId, profile and tenant. */
import type { Clocks } from "../domain/time.ts";
import type { ErrorRecord } from "../domain/errors.ts";
import type { EventOf, ExportEvent, ExportRef } from "../domain/export_event.ts";
import type { Trigger } from "../domain/labels.ts";
import type { EgressWatch } from "./egress_watch.ts";
import type { ExportEnd, ExportTrace } from "./export_trace.ts";
import type { Log, LogFields, Severity } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface WatchedExport extends ExportRef {
  trigger?: Trigger;
  /** Name of the token that requested it. */
  actor?: string;
}

interface ExportWatchParts extends Pick<Clocks, "elapsed"> {
  log: Log;
  metrics: Metrics;
  /** Without it nothing is traced. */
  trace?: ExportTrace | undefined;
  egress?: EgressWatch;
}

export class ExportWatch {
  readonly #of: ExportRef;
  readonly #who: Pick<LogFields, "trigger" | "actor">;
  #digest: string | undefined;
  #attestation: NonNullable<LogFields["attestationStatus"]> = "pending";
  #stage: string | undefined;
  #stageSince = 0;
  #stageBytes = 0;

  constructor(
    { exportId, profile, tenant, trigger, actor }: WatchedExport,
    private readonly parts: ExportWatchParts,
  ) {
    this.#of = { exportId, profile, tenant };
    this.#who = { trigger, actor };
  }

  queued(): void {
    this.#line("INFO", "export.queued", "export queued", this.#who);
  }

  /** It failed and will be retried after `wait` milliseconds. */
  deferred(error: ErrorRecord, wait: number): void {
    this.#endStage();
    this.parts.metrics.count("export_job_retries_total", { profile: this.#of.profile });
    const fields = { durationMs: wait, error };
    this.#line("WARN", "export.deferred", "export failed, will be retried", fields);
  }

  /** Its lease was lost: another process runs it now. */
  lost(): void {
    this.#endStage();
    this.#line("WARN", "export.lost", "export aborted: lease lost");
  }

  /** `attempt` is greater than 1 after the service died during the export. */
  started(attempt: number): void {
    this.#digest = undefined;
    this.parts.trace?.started(attempt);
    this.#line("INFO", "export.started", "export started", { ...this.#who, count: attempt });
  }

  onEvent(event: ExportEvent): void {
    this.parts.trace?.onEvent(event);
    if (event.kind === "progress") this.#moved(event.stage, event.done);
    else if (event.kind === "signed") this.#digest = event.bundleDigest;
    else if (event.kind === "unchanged") this.#unchanged(event);
    else if (event.kind === "published") this.#published(event);
    else if (event.kind === "pushed") this.#pushed(event);
    else if (event.kind === "verified") this.#verified(event);
    else {
      const of = { ...this.#of, bundleDigest: this.#digest };
      this.parts.egress?.refused(event.destination, of);
    }
  }

  /** A bundle of this size was made; artifacts are counted by kind, what is missing by reason. */
  made(
    bytes: number,
    artifacts?: Readonly<Record<string, number>>,
    leftOut?: Readonly<Record<string, number>>,
  ): void {
    this.parts.metrics.bundleMade({ ...this.#of, bytes, artifacts, leftOut });
  }

  /** `seconds` since its first start; `at` in milliseconds since 1970. */
  ended(end: ExportEnd, seconds: number, at?: number): void {
    const { state, bundleDigest = this.#digest, error } = end;
    this.#endStage();
    this.parts.trace?.ended(end);
    const result = state === "succeeded" ? "success" : state;
    this.parts.metrics.jobFinished({ ...this.#of, result, seconds, at });
    const durationMs = Math.round(seconds * 1000);
    const fields = { status: state, durationMs, bundleDigest, error };
    this.#line(state === "failed" ? "ERROR" : "INFO", "export.ended", "export ended", fields);
  }

  /** Progress events repeat their stage; with a smaller count it started again, as a push may. */
  #moved(stage: string, done: number): void {
    if (stage !== this.#stage) {
      this.#endStage();
      this.#stage = stage;
      this.#stageSince = this.parts.elapsed();
      this.#stageBytes = 0;
    }
    this.parts.metrics.processed(stage, Math.max(0, done - this.#stageBytes));
    this.#stageBytes = done;
  }

  #pushed({ registry, result, seconds }: EventOf<"pushed">): void {
    this.parts.metrics.pushed({ ...this.#of, result, seconds });
    const fields = { registry, status: result, durationMs: Math.round(seconds * 1000) };
    const severity = result === "success" ? "INFO" : "ERROR";
    this.#line(severity, "export.pushed", "push to a registry ended", fields);
  }

  #unchanged({ sameAs, bundleDigest }: EventOf<"unchanged">): void {
    this.#digest = bundleDigest;
    this.parts.metrics.count("export_unchanged_total", { profile: this.#of.profile });
    this.#line("INFO", "export.unchanged", "export unchanged, no second copy stored", { sameAs });
  }

  #published({ result }: EventOf<"published">): void {
    this.parts.metrics.count("export_manifest_publish_total", { result });
    const isDone = result === "success" || result === "skipped";
    const body = isDone ? "manifest published" : "manifest not published";
    this.#line(isDone ? "INFO" : "ERROR", "export.published", body, { status: result });
  }

  #verified({ result, reason }: EventOf<"verified">): void {
    this.parts.metrics.verified(result, reason);
    this.#attestation = result === "success" ? "verified" : "failed";
    const severity = result === "success" ? "INFO" : "ERROR";
    this.#line(severity, "export.verified", "finished bundle verified", { detail: reason });
  }

  #endStage(): void {
    const stage = this.#stage;
    if (stage === undefined) return;
    const durationMs = Math.round(this.parts.elapsed() - this.#stageSince);
    this.parts.metrics.stageEnded(stage, durationMs / 1000);
    const fields = { stage, durationMs };
    this.#line("INFO", "export.stage.ended", "stage of an export ended", fields);
    this.#stage = undefined;
  }

  #line(severity: Severity, event: string, body: string, fields: LogFields = {}): void {
    this.parts.log(severity, event, body, {
      ...this.#of,
      traceId: this.parts.trace?.traceId,
      attestationStatus: this.#attestation,
      bundleDigest: this.#digest,
      ...fields,
    });
  }
}
