/** One export as log and metrics see it: what it says on its way becomes lines that share exportId, profile and tenant. */
import type { PublishResult, PushResult, VerificationResult } from "./labels.ts";
import type { Log, LogError, LogFields } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface WatchedExport {
  exportId: string;
  profile: string;
  tenant: string;
}

/** What an export says on its way. */
export type ExportEvent =
  /** `done` and `total` are bytes; `total` is 0 where it is not known. */
  | { kind: "progress"; stage: string; done: number; total: number }
  /** One manifest became visible, in the store or in a directory, or did not. */
  | { kind: "published"; result: PublishResult }
  /** The whole push to one registry, failed ones too; `registry` is its name in the configuration. */
  | { kind: "pushed"; registry: string; result: PushResult; seconds: number }
  /** It verified what it made; `reason` as the metric counts it. */
  | { kind: "verified"; result: VerificationResult; reason?: string };

/** How it ended. */
export interface ExportEnd {
  state: "succeeded" | "failed" | "cancelled";
  bundleDigest?: string;
  error?: LogError;
}

export class ExportWatch {
  readonly #of: WatchedExport;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #elapsed: () => number;
  #attestation: NonNullable<LogFields["attestationStatus"]> = "pending";
  #stage: string | undefined;
  #stageSince = 0;

  /** `elapsed` is milliseconds that only ever grow. */
  constructor(of: WatchedExport, to: { log: Log; metrics: Metrics; elapsed: () => number }) {
    this.#of = of;
    this.#log = to.log;
    this.#metrics = to.metrics;
    this.#elapsed = to.elapsed;
  }

  queued(): void {
    this.#line("INFO", "export.queued", "An export waits", {});
  }

  /** `attempt` is 1, or more after the service died under it. */
  started(attempt: number): void {
    this.#line("INFO", "export.started", "An export started", { count: attempt });
  }

  told(event: ExportEvent): void {
    if (event.kind === "progress") this.#stageIs(event.stage);
    else if (event.kind === "published") this.#published(event.result);
    else if (event.kind === "pushed") this.#pushed(event);
    else this.#verified(event.result, event.reason);
  }

  /** There is a bundle of so many bytes. */
  made(bytes: number): void {
    this.#metrics.bundleMade({ profile: this.#of.profile, bytes });
  }

  /** `seconds` since it was started first. */
  ended({ state, bundleDigest, error }: ExportEnd, seconds: number): void {
    this.#endStage();
    const result = state === "succeeded" ? "success" : state;
    this.#metrics.jobFinished({ profile: this.#of.profile, result, seconds });
    this.#line(state === "failed" ? "ERROR" : "INFO", "export.ended", "An export ended", {
      status: state,
      durationMs: Math.round(seconds * 1000),
      ...(bundleDigest === undefined ? {} : { bundleDigest }),
      ...(error === undefined ? {} : { error }),
    });
  }

  /** Progress says the stage over and over; only a new one is news. */
  #stageIs(stage: string): void {
    if (stage === this.#stage) return;
    this.#endStage();
    this.#stage = stage;
    this.#stageSince = this.#elapsed();
  }

  #pushed(push: { registry: string; result: PushResult; seconds: number }): void {
    const { registry, result, seconds } = push;
    this.#metrics.pushed({ profile: this.#of.profile, result, seconds });
    const severity = result === "success" ? "INFO" : "ERROR";
    this.#line(severity, "export.pushed", "A push to a registry ended", {
      registry,
      status: result,
      durationMs: Math.round(seconds * 1000),
    });
  }

  #published(result: PublishResult): void {
    this.#metrics.published(result);
    const severity = result === "success" || result === "skipped" ? "INFO" : "ERROR";
    this.#line(severity, "export.published", "A manifest was to be published", { status: result });
  }

  #verified(result: VerificationResult, reason: string | undefined): void {
    this.#metrics.verified(result, reason);
    this.#attestation = result === "success" ? "verified" : "failed";
    const severity = result === "success" ? "INFO" : "ERROR";
    this.#line(severity, "export.verified", "The finished bundle was verified", {
      ...(reason === undefined ? {} : { detail: reason }),
    });
  }

  #endStage(): void {
    if (this.#stage === undefined) return;
    const durationMs = Math.round(this.#elapsed() - this.#stageSince);
    this.#line("INFO", "export.stage.ended", "A stage of an export ended", {
      stage: this.#stage,
      durationMs,
    });
    this.#stage = undefined;
  }

  #line(
    severity: "INFO" | "ERROR",
    event: string,
    body: string,
    fields: LogFields,
  ): void {
    this.#log(severity, event, body, {
      ...this.#of,
      attestationStatus: this.#attestation,
      ...fields,
    });
  }
}
