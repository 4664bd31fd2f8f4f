/**
 * Schedules. The last run of each is in the database: after a downtime one missed run is made up
 * for at startup, however many were missed. The due time is the job's idempotency key: a service
 * that dies between queueing and recording queues the same job again. The run of a schedule that
 * was removed from the configuration is forgotten at the next start.
 */
import { Cron } from "croner";
import type { ScheduledRun } from "../domain/labels.ts";
import { isFinished, type Job } from "./job.ts";
import type { JobQueue, NewJob } from "./job_queue.ts";

export interface Schedule {
  /** There is one schedule per profile. */
  profile: string;
  tenant: string;
  /** Five fields. */
  cron: string;
  /** IANA time zone. */
  zone: string;
}

/** Storage of the last run of each schedule. */
export interface ScheduleRuns {
  /** Last run of the profile's schedule in milliseconds since 1970; undefined if there was none. */
  last(profile: string): number | undefined;
  /** @throws StellaError io */
  note(profile: string, time: number): void;
  /** Forgets the runs of all other profiles. @throws StellaError io */
  keepOnly(profiles: readonly string[]): void;
}

export interface ScheduleOptions {
  schedules: readonly Schedule[];
  queue: Pick<JobQueue, "enqueue" | "list">;
  runs: ScheduleRuns;
  /** Milliseconds since 1970. */
  now(): number;
  onQueued(job: Job): void;
  /** Milliseconds since 1970: the next due time, and from when on two runs are overdue. */
  onTimes?(profile: string, next: number | undefined, stale: number | undefined): void;
  /** Reports the result of a due run. */
  onRun(schedule: Schedule, result: ScheduledRun): void;
  onFault(error: unknown): void;
}

/** Milliseconds between checks of the clock, even if nothing is due: it may have been set. */
const maxSleep = 30_000;
/** Milliseconds after which a run counts as late; a running service is never that late. */
const inTime = 2 * maxSleep;

export class Scheduler {
  readonly #options: ScheduleOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @throws StellaError io */
  constructor(options: ScheduleOptions) {
    this.#options = options;
    options.runs.keepOnly(options.schedules.map(({ profile }) => profile));
  }

  /** Queues missed runs, then continues. */
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

  /** Queues what is due now. */
  tick(): void {
    for (const schedule of this.#options.schedules) {
      try {
        this.#run(schedule);
      } catch (error) {
        this.#options.onFault(error);
      }
    }
  }

  /** Next run in milliseconds since 1970; undefined if there is none. */
  next({ cron, zone }: Schedule): number | undefined {
    return cronOf(cron, zone).nextRun(new Date(this.#options.now()))?.getTime();
  }

  #run(schedule: Schedule): void {
    const { now, onQueued, onRun, queue, runs } = this.#options;
    const last = runs.last(schedule.profile);
    // Nothing is missed at a first start, or if the clock was set back.
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

/** The key contains spaces, which no key of an API request does. */
function jobFor({ profile, tenant }: Schedule, due: number): NewJob {
  const idempotencyKey = `schedule ${profile} ${new Date(due).toISOString()}`;
  return { profile, tenant, request: {}, trigger: "schedule", idempotencyKey };
}

/** The last `count` due times up to `now`, newest first; croner excludes the time it is given. */
function dueTimes({ cron, zone }: Schedule, now: number, count: number): number[] {
  const runs = cronOf(cron, zone).previousRuns(count, new Date(now + 1_000));
  return runs.map((one) => one.getTime());
}

function cronOf(cron: string, zone: string): Cron {
  return new Cron(cron, { timezone: zone, paused: true });
}
