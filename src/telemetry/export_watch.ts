/** Reports an export to log and metrics; its log lines share exportId, profile and tenant. */
import type { EgressWatch } from "./egress_watch.ts";
import type { ExportEvent } from "../domain/export_event.ts";
import type { ExportEnd, ExportTrace } from "./export_trace.ts";
import type { PublishResult, PushResult, Trigger, VerificationResult } from "../domain/labels.ts";
import type { Log, LogFields } from "./log.ts";
import type { ErrorRecord } from "../domain/errors.ts";
import type { Metrics } from "./metrics.ts";

export interface WatchedExport {
  exportId: string;
  profile: string;
  tenant: string;
  trigger?: Trigger;
  /** Name of the token that requested it. */
  actor?: string;
}

interface ExportWatchParts {
  log: Log;
  metrics: Metrics;
  /** Monotonic milliseconds. */
  elapsed: () => number;
  /** Without it nothing is traced. */
  trace?: ExportTrace | undefined;
  egress?: EgressWatch;
}

export class ExportWatch {
  readonly #of: WatchedExport;
  readonly #who: Pick<WatchedExport, "trigger" | "actor">;
  readonly #parts: ExportWatchParts;
  #digest: string | undefined;
  #attestation: NonNullable<LogFields["attestationStatus"]> = "pending";
  #stage: string | undefined;
  #stageSince = 0;
  #stageBytes = 0;

  constructor({ exportId, profile, tenant, ...who }: WatchedExport, parts: ExportWatchParts) {
    this.#of = { exportId, profile, tenant };
    this.#who = who;
    this.#parts = parts;
  }

  queued(): void {
    this.#line("INFO", "export.queued", "export queued", this.#who);
  }

  /** It failed and will be retried after `wait` milliseconds. */
  deferred(error: ErrorRecord, wait: number): void {
    this.#endStage();
    this.#parts.metrics.count("export_job_retries_total", { profile: this.#of.profile });
    this.#line("WARN", "export.deferred", "export failed, will be retried", {
      durationMs: wait,
      error,
    });
  }

  /** Its lease was lost: another process runs it now. */
  lost(): void {
    this.#endStage();
    this.#line("WARN", "export.lost", "export aborted: lease lost", {});
  }

  /** `attempt` is greater than 1 after the service died during the export. */
  started(attempt: number): void {
    this.#digest = undefined;
    this.#parts.trace?.started(attempt);
    this.#line("INFO", "export.started", "export started", {
      ...this.#who,
      count: attempt,
    });
  }

  onEvent(event: ExportEvent): void {
    this.#parts.trace?.onEvent(event);
    if (event.kind === "progress") this.#moved(event.stage, event.done);
    else if (event.kind === "signed") this.#digest = event.bundleDigest;
    else if (event.kind === "unchanged") this.#unchanged(event);
    else if (event.kind === "published") this.#published(event.result);
    else if (event.kind === "pushed") this.#pushed(event);
    else if (event.kind === "refused") this.#refused(event.destination);
    else this.#verified(event.result, event.reason);
  }

  /**
   * A bundle of this size was made, with these artifacts by kind; `leftOut` counts what is missing,
   * by reason.
   */
  made(
    bytes: number,
    artifacts: Readonly<Record<string, number>> = {},
    leftOut: Readonly<Record<string, number>> = {},
  ): void {
    const { profile, exportId } = this.#of;
    this.#parts.metrics.bundleMade({ profile, exportId, bytes, artifacts, leftOut });
  }

  /** `seconds` since its first start; `at` in milliseconds since 1970. */
  ended(end: ExportEnd, seconds: number, at?: number): void {
    const { state, bundleDigest, error } = end;
    this.#endStage();
    this.#parts.trace?.ended(end);
    const result = state === "succeeded" ? "success" : state;
    const { profile, exportId } = this.#of;
    const time = at === undefined ? {} : { at };
    this.#parts.metrics.jobFinished({ profile, exportId, result, seconds, ...time });
    this.#line(state === "failed" ? "ERROR" : "INFO", "export.ended", "export ended", {
      status: state,
      durationMs: Math.round(seconds * 1000),
      ...(bundleDigest === undefined ? {} : { bundleDigest }),
      ...(error === undefined ? {} : { error }),
    });
  }

  /**
   * Progress events repeat their stage; only a new one is reported. A smaller count means that the
   * stage started again, as a push may.
   */
  #moved(stage: string, done: number): void {
    if (stage !== this.#stage) {
      this.#endStage();
      this.#stage = stage;
      this.#stageSince = this.#parts.elapsed();
      this.#stageBytes = 0;
    }
    this.#parts.metrics.processed(stage, Math.max(0, done - this.#stageBytes));
    this.#stageBytes = done;
  }

  #pushed(push: { registry: string; result: PushResult; seconds: number }): void {
    const { registry, result, seconds } = push;
    const { profile, exportId } = this.#of;
    this.#parts.metrics.pushed({ profile, exportId, result, seconds });
    const severity = result === "success" ? "INFO" : "ERROR";
    this.#line(severity, "export.pushed", "push to a registry ended", {
      registry,
      status: result,
      durationMs: Math.round(seconds * 1000),
    });
  }

  #unchanged({ sameAs, bundleDigest }: { sameAs: string; bundleDigest: string }): void {
    this.#digest = bundleDigest;
    this.#parts.metrics.count("export_unchanged_total", { profile: this.#of.profile });
    this.#line("INFO", "export.unchanged", "export unchanged, no second copy stored", { sameAs });
  }

  #refused(destination: string): void {
    const digest = this.#digest === undefined ? {} : { bundleDigest: this.#digest };
    this.#parts.egress?.refused(destination, { ...this.#of, ...digest });
  }

  #published(result: PublishResult): void {
    this.#parts.metrics.count("export_manifest_publish_total", { result });
    const severity = result === "success" || result === "skipped" ? "INFO" : "ERROR";
    const body = severity === "ERROR" ? "manifest not published" : "manifest published";
    this.#line(severity, "export.published", body, { status: result });
  }

  #verified(result: VerificationResult, reason: string | undefined): void {
    this.#parts.metrics.verified(result, reason);
    this.#attestation = result === "success" ? "verified" : "failed";
    const severity = result === "success" ? "INFO" : "ERROR";
    this.#line(severity, "export.verified", "finished bundle verified", {
      ...(reason === undefined ? {} : { detail: reason }),
    });
  }

  #endStage(): void {
    if (this.#stage === undefined) return;
    const durationMs = Math.round(this.#parts.elapsed() - this.#stageSince);
    this.#parts.metrics.stageEnded(this.#stage, durationMs / 1000);
    this.#line("INFO", "export.stage.ended", "stage of an export ended", {
      stage: this.#stage,
      durationMs,
    });
    this.#stage = undefined;
  }

  #line(
    severity: "INFO" | "WARN" | "ERROR",
    event: string,
    body: string,
    fields: LogFields,
  ): void {
    this.#parts.log(severity, event, body, {
      ...this.#of,
      ...(this.#parts.trace === undefined ? {} : { traceId: this.#parts.trace.traceId }),
      attestationStatus: this.#attestation,
      ...(this.#digest === undefined ? {} : { bundleDigest: this.#digest }),
      ...fields,
    });
  }
}
