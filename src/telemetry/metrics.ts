/**
 * The metrics: names and labels are a contract with dashboards and rules. Every series exists at 0
 * from the start, because a counter created at 1 hides its first event from `increase()`. Label
 * values are configured profiles and one name for all former ones; never tenants, exports or
 * digests. Recording never fails a job: errors are reported as a fault and dropped.
 */
import { type Histogram, Registry } from "prom-client";
import { createInstruments, type Instruments } from "./instruments.ts";
import {
  artifactKinds,
  attestationFailure,
  type JobResult,
  leftOutReasons,
  type LogLevel,
  methodOf,
  type PublishResult,
  type PushResult,
  type Refusal,
  removedProfiles,
  type ScheduledRun,
  stageOf,
  statusClass,
  type VerificationResult,
} from "../domain/labels.ts";
import { classicOf, classicType, openMetricsType } from "./open_metrics.ts";
import {
  addProcessMetrics,
  addQueueMetrics,
  type ProcessFigures,
  type QueueFigures,
} from "./scraped.ts";

export interface MetricsOptions {
  /**
   * All values of the label `profile`; `slaSeconds` becomes a bucket bound and the target of the
   * alert.
   */
  profiles: readonly { name: string; slaSeconds?: number }[];
  build: { version: string; commit: string; bundleSchema: number };
  /** Read at each scrape, like `process`. */
  queue(): QueueFigures;
  process(): ProcessFigures;
  onFault(error: unknown): void;
}

interface StoredFigures {
  bundles: number;
  bytes: number;
}

/** The response of `/metrics`. */
export interface Scrape {
  body: string;
  contentType: string;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #instruments: Instruments;
  /** The SLA of each profile in seconds, Infinity without one. */
  readonly #slas: ReadonlyMap<string, number>;
  readonly #onFault: (error: unknown) => void;
  readonly #refresh: () => void;

  constructor(options: MetricsOptions) {
    const { profiles, build, queue, process, onFault } = options;
    const names = profiles.map((one) => one.name);
    const slas = profiles.flatMap((one) => one.slaSeconds ?? []);
    // Its type only knows the classic format.
    this.#registry.setContentType(openMetricsType as never);
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

  /**
   * Cancelled exports are counted, but not their duration. The exportId links the histogram to the
   * log as an exemplar; it is no label.
   */
  jobFinished(
    end: { profile: string; result: JobResult; seconds: number; at?: number; exportId?: string },
  ): void {
    this.#of(end.profile, ({ jobs, jobsWithinSla, jobDuration, lastSuccess }) => {
      const { profile, result, seconds, at, exportId } = end;
      jobs.inc({ profile, result });
      if (result === "success" && at !== undefined) lastSuccess.set({ profile }, at / 1000);
      const isWithin = result === "success" && seconds <= (this.#slas.get(profile) ?? Infinity);
      if (isWithin) jobsWithinSla.inc({ profile });
      if (result !== "cancelled") observe(jobDuration, profile, seconds, exportId);
    });
  }

  /**
   * `artifacts` counts the files of the bundle by kind; missing kinds are 0, and kinds that never
   * occurred have no series.
   */
  bundleMade(
    bundle: {
      profile: string;
      bytes: number;
      artifacts?: Readonly<Record<string, number>>;
      /** For risk data: what was left out, by reason. */
      leftOut?: Readonly<Record<string, number>>;
      exportId?: string;
    },
  ): void {
    const { profile, bytes, artifacts = {}, leftOut = {}, exportId } = bundle;
    this.#of(profile, ({ bundleSize, bundleArtifacts, riskLeftOut }) => {
      observe(bundleSize, profile, bytes, exportId);
      const kinds = Object.keys(artifacts).length === 0 ? [] : artifactKinds;
      for (const kind of kinds) bundleArtifacts.set({ profile, kind }, artifacts[kind] ?? 0);
      const reasons = Object.keys(leftOut).length === 0 ? [] : leftOutReasons;
      for (const reason of reasons) riskLeftOut.set({ profile, reason }, leftOut[reason] ?? 0);
    });
  }

  /** Bytes processed by a running export. */
  processed(stage: string, bytes: number): void {
    this.#record(({ processedBytes }) => processedBytes.inc({ stage: stageOf(stage) }, bytes));
  }

  stageEnded(stage: string, seconds: number): void {
    this.#record(({ stageDuration }) => stageDuration.observe({ stage: stageOf(stage) }, seconds));
  }

  spans(result: "sent" | "lost", count: number): void {
    this.#record(({ traceSpans }) => traceSpans.inc({ result }, count));
  }

  pushed(
    push: { profile: string; result: PushResult; seconds: number; exportId?: string },
  ): void {
    this.#of(push.profile, ({ pushes, pushLatency }) => {
      const { profile, result, seconds, exportId } = push;
      pushes.inc({ profile, result });
      observe(pushLatency, profile, seconds, exportId);
    });
  }

  published(result: PublishResult): void {
    this.#record(({ publishes }) => publishes.inc({ result }));
  }

  /** `reason` is counted if `result` is failed. */
  verified(result: VerificationResult, reason?: string): void {
    this.#record(({ verifications, attestationFailures }) => {
      verifications.inc({ result });
      if (result === "failed") attestationFailures.inc({ reason: attestationFailure(reason) });
    });
  }

  /** A connection was refused by the egress policy. */
  egressRefused(): void {
    this.#record(({ egressRefusals }) => egressRefusals.inc());
  }

  retried(profile: string): void {
    this.#of(profile, ({ jobRetries }) => jobRetries.inc({ profile }));
  }

  /** Results of earlier runs of the service; milliseconds since 1970. */
  succeededBefore(times: ReadonlyMap<string, number>): void {
    for (const [profile, at] of times) {
      this.#of(profile, ({ lastSuccess }) => lastSuccess.set({ profile }, at / 1000));
    }
  }

  /** Milliseconds since 1970; undefined if no run, or no second run, will be due. */
  scheduled(profile: string, next: number | undefined, stale: number | undefined): void {
    this.#of(profile, ({ nextSchedule, staleBefore }) => {
      nextSchedule.set({ profile }, (next ?? 0) / 1000);
      staleBefore.set({ profile }, (stale ?? 0) / 1000);
    });
  }

  due(profile: string, result: ScheduledRun): void {
    this.#of(profile, ({ scheduledRuns }) => scheduledRuns.inc({ profile, result }));
  }

  /** An export equals the newest stored bundle of its profile. */
  unchanged(profile: string): void {
    this.#of(profile, ({ unchanged }) => unchanged.inc({ profile }));
  }

  /** Bundles stored per profile; `others` are those of former profiles. */
  stored(contents: ReadonlyMap<string, StoredFigures>, others?: StoredFigures): void {
    for (const [profile, figures] of contents) {
      this.#of(profile, (instruments) => setStored(instruments, profile, figures));
    }
    if (others === undefined) return;
    this.#record((instruments) => setStored(instruments, removedProfiles, others));
  }

  /** An expired bundle was removed. */
  removed(profile: string): void {
    this.#of(profile, ({ storeRemoved }) => storeRemoved.inc({ profile }));
  }

  /**
   * The number of damaged bundles; the last scrub ended at `at`, milliseconds since 1970, 0 if
   * there was none.
   */
  damaged(bundles: number, at: number): void {
    this.#record(({ scrubbed, storeDamaged }) => {
      scrubbed.set(at / 1000);
      storeDamaged.set(bundles);
    });
  }

  clockSetBack(): void {
    this.#record(({ clockRegressions }) => clockRegressions.inc());
  }

  logged(level: LogLevel): void {
    this.#record(({ logMessages }) => logMessages.inc({ level }));
  }

  lagged(seconds: number): void {
    this.#record(({ loopLag }) => loopLag.observe(seconds));
  }

  /** `route` is one of our templates. */
  answered(method: string, route: string, status: number, seconds: number): void {
    this.#record(({ http }) =>
      http.observe({ method: methodOf(method), route, code: statusClass(status) }, seconds)
    );
  }

  refused(reason: Refusal): void {
    this.#record(({ refused }) => refused.inc({ reason }));
  }

  /** `at`: milliseconds since 1970. */
  checked(check: string, status: "pass" | "warn" | "fail", at: number): void {
    this.#record(({ checkUp, checkWarning, checkLastRun }) => {
      checkLastRun.set({ check }, at / 1000);
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

  /** The classic text format; OpenMetrics with exemplars on request. */
  async scrape(openMetrics = false): Promise<Scrape> {
    this.#record(this.#refresh);
    const body = await this.#registry.metrics();
    return openMetrics
      ? { body, contentType: openMetricsType }
      : { body: classicOf(body), contentType: classicType };
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

function setStored(
  { storedBundles, storedBytes }: Instruments,
  profile: string,
  { bundles, bytes }: StoredFigures,
): void {
  storedBundles.set({ profile }, bundles);
  storedBytes.set({ profile }, bytes);
}

/** An exemplar may have 128 characters; an id has 36. */
function observe(
  histogram: Histogram<"profile">,
  profile: string,
  value: number,
  exportId: string | undefined,
): void {
  const labels = { profile };
  if (exportId === undefined) histogram.observe({ labels, value });
  else histogram.observe({ labels, value, exemplarLabels: { exportId } } as never);
}
