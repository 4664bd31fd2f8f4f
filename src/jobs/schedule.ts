/**
 * Schedules: exports that are asked for by the clock. When each ran last is in the database, so a run that was missed while
 * the service was down is made up for at the start, once, however many were missed. The key of the job is the time that was
 * due: a service that dies between asking and noting asks for the same job again, not for another one. A schedule that is taken out is
 * forgotten at the next start: put back later, it begins anew and has missed nothing.
 */
import { Cron } from "croner";
import { isFinished, type Job } from "./job.ts";
import type { JobQueue, NewJob } from "./job_queue.ts";

export interface Schedule {
  /** Of the profile; there is one schedule for each. */
  profile: string;
  tenant: string;
  /** Five fields. */
  cron: string;
  /** IANA time zone. */
  zone: string;
}

/** When each schedule ran last; kept for good. */
export interface ScheduleRuns {
  /** When the profile's schedule ran last, in milliseconds since 1970; undefined where it never did. */
  last(profile: string): number | undefined;
  /** @throws StellaError media */
  note(profile: string, time: number): void;
  /** Forgets the runs of all profiles but these. @throws StellaError media */
  keepOnly(profiles: readonly string[]): void;
}

export interface ScheduleOptions {
  schedules: readonly Schedule[];
  queue: Pick<JobQueue, "enqueue" | "list">;
  runs: ScheduleRuns;
  /** Milliseconds since 1970. */
  now(): number;
  onQueued(job: Job): void;
  /**
   * When a profile is due next, and the time since which two of its runs were due, in milliseconds since 1970; undefined: never.
   */
  onTimes?(profile: string, next: number | undefined, stale: number | undefined): void;
  /** A run was due, and this became of it. */
  onRun(schedule: Schedule, result: Run): void;
  onFault(error: unknown): void;
}

/** `late` is queued as well, for a time at which nobody looked; `skipped`: the last one still waits or runs. */
export type Run = "queued" | "late" | "skipped";

/** Milliseconds after which the clock is looked at, also where nothing is due: it may have been set. */
const maxSleep = 30_000;
/** Milliseconds after which a run was not asked for in time; a service that runs is never that late. */
const inTime = 2 * maxSleep;

export class Scheduler {
  readonly #options: ScheduleOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @throws StellaError media */
  constructor(options: ScheduleOptions) {
    this.#options = options;
    options.runs.keepOnly(options.schedules.map(({ profile }) => profile));
  }

  /** Makes up for what was missed, and goes on. */
  start(): void {
    this.tick();
    const { schedules, now, onTimes } = this.#options;
    if (schedules.length === 0) return;
    const times = schedules.map((one) => this.next(one));
    schedules.forEach((one, at) => onTimes?.(one.profile, times[at], dueTimes(one, now(), 2)[1]));
    const wait = Math.max(50, Math.min(...times.map((at) => at ?? Infinity)) - now());
    this.#timer = setTimeout(() => this.start(), Math.min(wait, maxSleep));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Asks for what is due now. */
  tick(): void {
    for (const schedule of this.#options.schedules) {
      try {
        this.#run(schedule);
      } catch (error) {
        this.#options.onFault(error);
      }
    }
  }

  /** When it runs next, in milliseconds since 1970; undefined for one that never does. */
  next({ cron, zone }: Schedule): number | undefined {
    return cronOf(cron, zone).nextRun(new Date(this.#options.now()))?.getTime();
  }

  #run(schedule: Schedule): void {
    const { now, onQueued, onRun, queue, runs } = this.#options;
    const last = runs.last(schedule.profile);
    // A first start is no missed run; neither is a time before the clock was set back.
    if (last === undefined || last > now()) return runs.note(schedule.profile, now());
    const [due] = dueTimes(schedule, now(), 1);
    if (due === undefined || due <= last) return;
    const busy = this.#isBusy(schedule);
    if (!busy) {
      const { job, isNew } = queue.enqueue(jobFor(schedule, due));
      if (isNew) onQueued(job);
    }
    runs.note(schedule.profile, due);
    onRun(schedule, busy ? "skipped" : now() - due > inTime ? "late" : "queued");
  }

  #isBusy({ profile, tenant }: Schedule): boolean {
    const [newest] = this.#options.queue.list({ profile, tenants: [tenant], limit: 1 });
    return newest !== undefined && !isFinished(newest);
  }
}

/** The key has spaces in it, which no key of a request has. */
function jobFor({ profile, tenant }: Schedule, due: number): NewJob {
  const idempotencyKey = `schedule ${profile} ${new Date(due).toISOString()}`;
  return { profile, tenant, request: {}, trigger: "schedule", idempotencyKey };
}

/**
 * The last `count` times at or before `now` at which it was due, newest first. A second is added, because croner's look back
 * leaves `now` out.
 */
function dueTimes({ cron, zone }: Schedule, now: number, count: number): number[] {
  const runs = cronOf(cron, zone).previousRuns(count, new Date(now + 1_000));
  return runs.map((one) => one.getTime());
}

function cronOf(cron: string, zone: string): Cron {
  return new Cron(cron, { timezone: zone, paused: true });
}
