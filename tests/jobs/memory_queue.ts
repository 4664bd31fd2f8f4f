/**
 * The queue in memory: a second implementation of job_queue.ts, and the queue for tests of other
 * modules. It is simple, scans every job each time, and is not persistent.
 */
import { isFinished, type Job, type JobError, type Outcome } from "../../src/jobs/job.ts";
import {
  defaultLease,
  type Figures,
  type Filter,
  gaveUp,
  type JobQueue,
  keyReused,
  maxAttempts,
  maxWait,
  type NewJob,
  queueFull,
  type QueueOptions,
  type Recovered,
} from "../../src/jobs/job_queue.ts";
import { FairScheduler } from "../../src/jobs/fair_scheduler.ts";

interface Kept {
  job: Job;
  key: string | undefined;
  queuedAt: number;
  leaseUntil: number;
  /** How many successes there were when its bundle was made; 0: it has none. */
  stored: number;
}

export class MemoryQueue implements JobQueue {
  /** In the order of arrival. */
  #all: Kept[] = [];
  readonly #options: Required<Omit<QueueOptions, "onNew">>;
  readonly #turns = new FairScheduler();
  #successes = 0;

  constructor(options: QueueOptions) {
    this.#options = { lease: defaultLease, ...options };
  }

  enqueue(asked: NewJob, max = Infinity): { job: Job; isNew: boolean } {
    const { tenant, profile, idempotencyKey: key, traceparent } = asked;
    const request = structuredClone(asked.request);
    const earlier = this.#all.find((one) =>
      key !== undefined && one.key === key && one.job.tenant === tenant
    );
    if (earlier !== undefined) return { job: same(earlier.job, profile, request), isNew: false };
    if (this.#waiting(tenant) >= max) throw queueFull(max);
    const createdAt = this.#options.now();
    const job: Job = {
      id: this.#options.newId(),
      tenant,
      profile,
      request,
      state: "queued",
      trigger: asked.trigger ?? "api",
      attempt: 0,
      tries: 0,
      createdAt,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...(asked.actor === undefined ? {} : { actor: asked.actor }),
    };
    this.#all.push({ job, key, queuedAt: createdAt, leaseUntil: 0, stored: 0 });
    return { job: structuredClone(job), isNew: true };
  }

  get(id: string): Job | undefined {
    return structuredClone(this.#find(id)?.job);
  }

  list({ tenants, profile, state, before, limit }: Filter): Job[] {
    const isOwn = (job: Job) => tenants?.includes(job.tenant) ?? true;
    const later = before === undefined ? [] : this.#all.filter(({ job }) => job.id >= before);
    const end = later.length === 0 ? this.#all.length : this.#all.indexOf(later[0]!);
    return this.#all.slice(0, end).map(({ job }) => job).reverse().filter((job) =>
      isOwn(job) && (profile ?? job.profile) === job.profile && (state ?? job.state) === job.state
    ).slice(0, limit).map((job) => structuredClone(job));
  }

  claim(
    held: ReadonlySet<string> = new Set(),
    passed: ReadonlySet<string> = new Set(),
  ): Job | undefined {
    const { now, lease } = this.#options;
    this.#promote();
    const kept = this.#lapsed(held, passed) ?? this.#ready(passed);
    if (kept === undefined) return undefined;
    const { job } = kept;
    kept.leaseUntil = now() + lease;
    Object.assign(job, { state: "running", attempt: job.attempt + 1, tries: job.tries + 1 });
    job.startedAt ??= now();
    this.#turns.recordServed(job.tenant);
    return structuredClone(job);
  }

  heartbeat(job: Job): boolean {
    return this.#change(job, (kept) => kept.leaseUntil = this.#options.now() + this.#options.lease);
  }

  finish(job: Job, outcome: Outcome): boolean {
    return this.#change(job, (kept) => {
      this.#end(kept, outcome);
      const hasOwn = outcome.state === "succeeded" && outcome.sameAs === undefined;
      kept.stored = hasOwn ? ++this.#successes : 0;
      const same = this.#find(outcome.sameAs ?? "");
      if (same !== undefined) same.job.confirmedAt = this.#options.now();
    });
  }

  release(job: Job): boolean {
    return this.#change(job, (kept) => {
      kept.job.state = "queued";
      kept.job.tries--;
    });
  }

  defer(job: Job, error: JobError, wait: number): boolean {
    const notBefore = this.#options.now() + Math.min(Math.max(1, wait), maxWait);
    return this.#change(job, (kept) => {
      Object.assign(kept.job, { state: "queued", notBefore, error: structuredClone(error) });
    });
  }

  cancel(id: string): Job | undefined {
    const kept = this.#find(id);
    if (kept?.job.state === "running") kept.job.cancelling = true;
    else if (kept?.job.state === "queued") this.#end(kept, { state: "cancelled" });
    return this.get(id);
  }

  retry(id: string, max = Infinity): Job | undefined {
    const kept = this.#find(id);
    if (kept?.job.state === "failed" || kept?.job.state === "cancelled") {
      if (this.#waiting(kept.job.tenant) >= max) throw queueFull(max);
      const { startedAt: _s, finishedAt: _f, error: _e, notBefore: _n, ...rest } = kept.job;
      kept.job = { ...rest, state: "queued", tries: 0 };
      kept.queuedAt = this.#options.now();
    }
    return this.get(id);
  }

  remove(id: string): boolean {
    const kept = this.#find(id);
    if (kept === undefined || !isFinished(kept.job)) return false;
    this.#all = this.#all.filter((one) => one !== kept);
    return true;
  }

  made(profile: string): Job[] {
    const made = this.#all.filter(({ stored, job }) => stored > 0 && profile === job.profile);
    return made.toSorted((a, b) => a.stored - b.stored).map(({ job }) => structuredClone(job));
  }

  bundlesRemoved(ids: readonly string[]): void {
    for (const kept of this.#all) if (ids.includes(kept.job.id)) kept.stored = 0;
  }

  prune(before: number, max: number): Job[] {
    const old = this.#all.filter(({ stored }) => stored === 0).map(({ job }) => job)
      .filter((job) => job.finishedAt !== undefined && job.finishedAt < before)
      .sort((a, b) => a.finishedAt! - b.finishedAt!).slice(0, max);
    old.forEach((job) => this.remove(job.id));
    return old;
  }

  recover(): Recovered {
    const found: Recovered = { again: [], givenUp: [], cancelled: [] };
    for (const kept of this.#all.filter(({ job }) => job.state === "running")) {
      const { job } = kept;
      if (job.cancelling) {
        this.#end(kept, { state: "cancelled" });
        found.cancelled.push(structuredClone(job));
      } else if (job.tries >= maxAttempts) {
        this.#end(kept, { state: "failed", error: gaveUp });
        found.givenUp.push(structuredClone(job));
      } else {
        job.state = "queued";
        found.again.push(structuredClone(job));
      }
    }
    return found;
  }

  figures(): Figures {
    const waiting = this.#all.filter(({ job }) => job.state === "queued");
    const running = this.#all.filter(({ job }) => job.state === "running");
    const oldest = new Map<string, number>();
    for (const { job: { profile, startedAt = 0 } } of running) {
      oldest.set(profile, Math.min(startedAt, oldest.get(profile) ?? startedAt));
    }
    return {
      queued: waiting.length,
      running: running.length,
      oldestQueuedAt: waiting.length === 0
        ? undefined
        : Math.min(...waiting.map((one) => one.queuedAt)),
      oldestRunningAt: oldest,
    };
  }

  lastSuccesses(): Map<string, number> {
    const last = new Map<string, number>();
    for (const { job: { profile, state, finishedAt = 0 } } of this.#all) {
      if (state === "succeeded") last.set(profile, Math.max(finishedAt, last.get(profile) ?? 0));
    }
    return last;
  }

  probe(): void {}

  close(): void {}

  #waiting(tenant: string): number {
    return this.#all.filter(({ job }) =>
      job.state === "queued" && job.notBefore === undefined && job.tenant === tenant
    ).length;
  }

  #find(id: string): Kept | undefined {
    return this.#all.find(({ job }) => job.id === id);
  }

  #end({ job }: Kept, { state, error, ...made }: Outcome): void {
    delete job.cancelling;
    delete job.notBefore;
    delete job.error;
    Object.assign(job, { state, finishedAt: this.#options.now(), ...made });
    if (error !== undefined) job.error = structuredClone(error);
  }

  #promote(): void {
    const now = this.#options.now();
    for (const { job } of this.#all) {
      const { notBefore = 0 } = job;
      if (notBefore <= now || notBefore > now + maxWait) delete job.notBefore;
    }
  }

  #lapsed(held: ReadonlySet<string>, passed: ReadonlySet<string>): Kept | undefined {
    const [now, { lease }] = [this.#options.now(), this.#options];
    return this.#all.find(({ job, leaseUntil }) =>
      job.state === "running" && !held.has(job.id) && !passed.has(job.profile) &&
      (leaseUntil <= now || leaseUntil > now + lease)
    );
  }

  #ready(passed: ReadonlySet<string>): Kept | undefined {
    const ready = this.#all.filter(({ job }) =>
      job.state === "queued" && job.notBefore === undefined && !passed.has(job.profile)
    );
    const running = new Map<string, number>();
    for (const { job: { state, tenant } } of this.#all) {
      if (state === "running") running.set(tenant, (running.get(tenant) ?? 0) + 1);
    }
    const tenants = [...new Set(ready.map(({ job }) => job.tenant))].sort();
    const turn = this.#turns.next(tenants, running);
    return ready.find(({ job }) => job.tenant === turn);
  }

  #change({ id, attempt }: Job, change: (kept: Kept) => void): boolean {
    const kept = this.#find(id);
    if (kept?.job.state !== "running" || kept.job.attempt !== attempt) return false;
    change(kept);
    return true;
  }
}

/** As the table compares: the words of the request, in their order. */
function same(job: Job, profile: string, request: unknown): Job {
  const isSame = job.profile === profile && JSON.stringify(job.request) === JSON.stringify(request);
  if (isSame) return structuredClone(job);
  throw keyReused();
}
