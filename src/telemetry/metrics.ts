/**
 * The metrics: names and labels are a contract with dashboard and rules (operations.md A3). Every series that may come
 * stands at 0 from the start, for a counter that is born at 1 hides its first event from `increase()`. Only profiles of
 * the configuration are labels; tenant, export and digest never are. Recording never fails a job: what cannot be recorded
 * is reported as a fault and dropped.
 */
import { Registry } from "prom-client";
import { createInstruments, type Instruments } from "./instruments.ts";
import {
  artifactKinds,
  attestationFailure,
  type JobResult,
  type PublishResult,
  type PushResult,
  stageOf,
  type VerificationResult,
} from "./labels.ts";
import {
  addProcessMetrics,
  addQueueMetrics,
  type ProcessFigures,
  type QueueFigures,
} from "./scraped.ts";

export interface MetricsOptions {
  /** All that will ever be a label; `slaSeconds` becomes a bucket border and the target that the alert reads. */
  profiles: readonly { name: string; slaSeconds?: number }[];
  build: { version: string; commit: string; bundleSchema: number };
  /** Read at each scrape, as is `process`. */
  queue(): QueueFigures;
  process(): ProcessFigures;
  onFault(error: unknown): void;
}

/** As `/metrics` answers. */
export interface Scrape {
  body: string;
  contentType: string;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #instruments: Instruments;
  /** Seconds in which an export of the profile should be done, Infinity where nothing was said. */
  readonly #slas: ReadonlyMap<string, number>;
  readonly #onFault: (error: unknown) => void;
  readonly #refresh: () => void;

  constructor(options: MetricsOptions) {
    const { profiles, build, queue, process, onFault } = options;
    const names = profiles.map((one) => one.name);
    const slas = profiles.flatMap((one) => one.slaSeconds ?? []);
    const setQueue = addQueueMetrics(this.#registry, names);
    const setProcess = addProcessMetrics(this.#registry);
    this.#slas = new Map(profiles.map((one) => [one.name, one.slaSeconds ?? Infinity]));
    this.#onFault = onFault;
    this.#instruments = createInstruments(this.#registry, names, slas);
    this.#refresh = () => {
      setQueue(queue());
      setProcess(process());
    };
    const { version, commit, bundleSchema } = build;
    this.#instruments.build.set({ version, commit, bundle_schema: String(bundleSchema) }, 1);
    for (const { name, slaSeconds } of profiles) {
      if (slaSeconds !== undefined) this.#instruments.sla.set({ profile: name }, slaSeconds);
    }
  }

  /** Cancelled exports count, but their duration says nothing about how long an export takes. */
  jobFinished(end: { profile: string; result: JobResult; seconds: number }): void {
    this.#of(end.profile, ({ jobs, jobsWithinSla, jobDuration }) => {
      const { profile, result, seconds } = end;
      jobs.inc({ profile, result });
      const isWithin = result === "success" && seconds <= (this.#slas.get(profile) ?? Infinity);
      if (isWithin) jobsWithinSla.inc({ profile });
      if (result !== "cancelled") jobDuration.observe({ profile }, seconds);
    });
  }

  /** `artifacts` counts what lies in the bundle, by kind; what is not there is 0, and what never was has no series. */
  bundleMade(
    bundle: { profile: string; bytes: number; artifacts?: Readonly<Record<string, number>> },
  ): void {
    const { profile, bytes, artifacts = {} } = bundle;
    this.#of(profile, ({ bundleSize, bundleArtifacts }) => {
      bundleSize.observe({ profile }, bytes);
      if (Object.keys(artifacts).length === 0) return;
      for (const kind of artifactKinds) {
        bundleArtifacts.set({ profile, kind }, artifacts[kind] ?? 0);
      }
    });
  }

  /** Bytes that a running export has got on with. */
  processed(stage: string, bytes: number): void {
    this.#record(({ processedBytes }) => processedBytes.inc({ stage: stageOf(stage) }, bytes));
  }

  stageEnded(stage: string, seconds: number): void {
    this.#record(({ stageDuration }) => stageDuration.observe({ stage: stageOf(stage) }, seconds));
  }

  spans(result: "sent" | "lost", count: number): void {
    this.#record(({ traceSpans }) => traceSpans.inc({ result }, count));
  }

  pushed(push: { profile: string; result: PushResult; seconds: number }): void {
    this.#of(push.profile, ({ pushes, pushLatency }) => {
      const { profile, result, seconds } = push;
      pushes.inc({ profile, result });
      pushLatency.observe({ profile }, seconds);
    });
  }

  published(result: PublishResult): void {
    this.#record(({ publishes }) => publishes.inc({ result }));
  }

  /** `reason` counts where `result` is failed. */
  verified(result: VerificationResult, reason?: string): void {
    this.#record(({ verifications, attestationFailures }) => {
      verifications.inc({ result });
      if (result === "failed") attestationFailures.inc({ reason: attestationFailure(reason) });
    });
  }

  /** A connection was not made, because the site is sealed. */
  egressRefused(): void {
    this.#record(({ egressRefusals }) => egressRefusals.inc());
  }

  checked(check: string, status: "pass" | "warn" | "fail"): void {
    this.#record(({ checkUp, checkWarning }) => {
      checkUp.set({ check }, status === "fail" ? 0 : 1);
      checkWarning.set({ check }, status === "warn" ? 1 : 0);
    });
  }

  /** Bytes. */
  storage(space: { free: number; size: number }): void {
    this.#record(({ storageFree, storageSize }) => {
      storageFree.set(space.free);
      storageSize.set(space.size);
    });
  }

  /** The classic text format, version 0.0.4: Prometheus 3 refuses a scrape without the right content type. */
  async scrape(): Promise<Scrape> {
    this.#record(this.#refresh);
    return {
      body: await this.#registry.metrics(),
      contentType: "text/plain; version=0.0.4; charset=utf-8",
    };
  }

  #of(profile: string, record: (instruments: Instruments) => void): void {
    if (this.#slas.has(profile)) this.#record(record);
  }

  #record(record: (instruments: Instruments) => void): void {
    try {
      record(this.#instruments);
    } catch (error) {
      this.#onFault(error);
    }
  }
}
