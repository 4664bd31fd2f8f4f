/**
 * Readiness: whether the service can do its work. A background loop runs the checks, requests read
 * the last results: many requests cause no more probes.
 */
import type { Clocks } from "../domain/time.ts";
import { messageOf } from "../domain/errors.ts";

export type Status = "pass" | "warn" | "fail";

export interface CheckResult {
  status: Status;
  output?: string;
}

export interface Check {
  /** `component:measurement`, the label of the metric and the key in the response. */
  name: string;
  /** Timeout in milliseconds. */
  limit: number;
  /** Result of a check that exceeds its timeout; default: fail. */
  late?: Status;
  run(signal: AbortSignal): CheckResult | Promise<CheckResult>;
}

/** The last result of a check; `time` in milliseconds since 1970. */
export interface CheckState extends CheckResult {
  name: string;
  time: number;
}

export interface ReadinessOptions extends Clocks {
  checks: readonly Check[];
  isDraining(): boolean;
  onRound(states: readonly CheckState[]): void;
  /** Milliseconds between rounds. */
  interval?: number;
  /** Milliseconds after which a first failure is checked again, to tell a glitch from a fault. */
  confirm?: number;
  /** Milliseconds after which results are too old. */
  stale?: number;
}

export class Readiness {
  readonly #options: Required<ReadinessOptions>;
  readonly #states = new Map<string, CheckState>();
  readonly #doubts = new Set<ReturnType<typeof setTimeout>>();
  #roundAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: ReadinessOptions) {
    this.#options = { interval: 10_000, confirm: 1_000, stale: 30_000, ...options };
  }

  /** Resolves after the first round; rounds continue until `stop`. */
  async start(): Promise<void> {
    const { checks, elapsed, interval } = this.#options;
    const began = elapsed();
    await Promise.all(checks.map((check) => this.#runOne(check)));
    this.#roundAt = elapsed();
    this.#options.onRound(this.#all());
    if (this.#stopped) return;
    // From start to start, because a check may hang.
    const wait = Math.max(0, interval - (elapsed() - began));
    this.#timer = setTimeout(() => this.start(), wait);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#doubts.forEach(clearTimeout);
  }

  /** The worst result, except for checks whose name or component is in `exclude`. */
  report(exclude: readonly string[] = []): { status: Status; checks: CheckState[] } {
    const checks = [...this.#all(), this.#drain(), ...this.#age()].filter((one) =>
      !exclude.includes(one.name) && !exclude.includes(one.name.split(":")[0] ?? "")
    );
    const has = (status: Status) => checks.some((one) => one.status === status);
    return { status: has("fail") ? "fail" : has("warn") ? "warn" : "pass", checks };
  }

  /** Each result is published at once: a check that hangs does not delay the others. */
  async #runOne(check: Check): Promise<void> {
    const { now, interval, confirm } = this.#options;
    const result = await runLimited(check);
    const shown = softened(result, this.#states.get(check.name));
    this.#states.set(check.name, { name: check.name, time: now(), ...shown });
    if (shown === result || this.#stopped || confirm >= interval) return;
    const doubt = setTimeout(() => {
      this.#doubts.delete(doubt);
      this.#runOne(check).then(() => this.#options.onRound(this.#all()));
    }, confirm);
    this.#doubts.add(doubt);
  }

  #all(): CheckState[] {
    return this.#options.checks.flatMap(({ name }) => this.#states.get(name) ?? []);
  }

  /** Not a check of the loop: it has to show at once. */
  #drain(): CheckState {
    const draining = this.#options.isDraining();
    const result: CheckResult = draining
      ? { status: "fail", output: "the service is shutting down" }
      : { status: "pass" };
    return { name: "drain", time: this.#options.now(), ...result };
  }

  #age(): CheckState[] {
    const age = this.#options.elapsed() - this.#roundAt;
    if (age <= this.#options.stale) return [];
    const time = this.#options.now();
    return [{ name: "checks:age", time, status: "fail", output: "the last results are stale" }];
  }
}

/** The first failure after a success only warns: one lost packet must not make us unready. */
function softened(result: CheckResult, before: CheckState | undefined): CheckResult {
  const first = result.status === "fail" && before?.status === "pass";
  return first ? { ...result, status: "warn", output: `failed once: ${result.output}` } : result;
}

async function runLimited(check: Check): Promise<CheckResult> {
  const cancel = new AbortController();
  const late = Promise.withResolvers<CheckResult>();
  const limit = setTimeout(() => {
    late.resolve({ status: check.late ?? "fail", output: `no response in ${check.limit} ms` });
    cancel.abort();
  }, check.limit);
  try {
    return await Promise.race([check.run(cancel.signal), late.promise]);
  } catch (error) {
    return { status: "fail", output: messageOf(error) };
  } finally {
    clearTimeout(limit);
  }
}
