/** One export on its way into the timeline. What cannot be written is reported and does not end the export. */
import type { Feed } from "./feed.ts";
import type { JobError, Outcome } from "./job.ts";
import type { Timeline } from "./timeline.ts";
import type { EventOf } from "./timeline.ts";

/** What is told of an export; the kinds of events are the business of who tells them. */
export interface Watcher<Event> {
  queued(): void;
  started(attempt: number): void;
  /** It failed, and is tried again after `wait` milliseconds. */
  deferred(error: JobError, wait: number): void;
  /** Another holder runs it now. */
  lost(): void;
  onEvent(event: Event): void;
  /**
   * `leftOut` counts what is not in a bundle of risk data, by why; `emptyDirectoryCount` the
   * directories with nothing in them, which no bundle carries.
   */
  made(
    bytes: number,
    artifacts?: Readonly<Record<string, number>>,
    leftOut?: Readonly<Record<string, number>>,
    emptyDirectoryCount?: number,
  ): void;
  /** `at` in milliseconds since 1970. */
  ended(end: Outcome, seconds: number, at?: number): void;
}

/** Tells `watcher` everything, and writes each step into the timeline too. */
export function alsoInTimeline<Event extends { kind: string; stage?: string }>(
  watcher: Watcher<Event>,
  of: EventOf & { trigger?: string; actor?: string },
  timeline: Pick<Timeline, "add">,
  onFault: (error: unknown) => void,
): Watcher<Event> {
  const add = (stage: string, attributes: Record<string, unknown>) => {
    try {
      timeline.add(of, stage, attributes);
    } catch (error) {
      onFault(error);
    }
  };
  const { trigger, actor } = of;
  const who = { ...(trigger && { trigger }), ...(actor && { actor }) };
  let last: string | undefined;
  return {
    queued: () => (watcher.queued(), add("queued", who)),
    started: (attempt) => (watcher.started(attempt), add("started", { attempt })),
    deferred: (error, wait) => {
      watcher.deferred(error, wait);
      last = undefined;
      add("deferred", { error, seconds: wait / 1000 });
    },
    lost: () => (watcher.lost(), add("lost", {})),
    onEvent: (event) => {
      watcher.onEvent(event);
      const { kind, ...attributes } = event;
      if (kind !== "progress") return add(kind, attributes);
      // Progress names its stage over and over; the first time is the step.
      if (event.stage !== undefined && event.stage !== last) add(last = event.stage, {});
    },
    made: (bytes, artifacts, leftOut, emptyDirectoryCount) => {
      watcher.made(bytes, artifacts, leftOut, emptyDirectoryCount);
      add("made", {
        bytes,
        ...(artifacts === undefined ? {} : { artifacts }),
        ...(leftOut === undefined ? {} : { leftOut }),
        ...(emptyDirectoryCount === undefined ? {} : { emptyDirectoryCount }),
      });
    },
    ended: (end, seconds, at) => {
      watcher.ended(end, seconds, at);
      const { state, bundleDigest, error } = end;
      add(state, { seconds, ...(bundleDigest && { bundleDigest }), ...(error && { error }) });
    },
  };
}

/** Tells `watcher` everything, and then those who follow the export. */
export function alsoInFeed<Event extends { kind: string; stage?: string }>(
  watcher: Watcher<Event>,
  exportId: string,
  feed: Feed,
): Watcher<Event> {
  const after = (told: () => void) => (told(), feed.notify(exportId));
  return {
    queued: () => after(() => watcher.queued()),
    started: (attempt) => after(() => watcher.started(attempt)),
    deferred: (error, wait) => after(() => watcher.deferred(error, wait)),
    lost: () => after(() => watcher.lost()),
    onEvent: (event) => {
      watcher.onEvent(event);
      if (event.kind !== "progress") return feed.notify(exportId);
      const { stage = "", done = 0, total = 0 } = event as
        & { done?: number; total?: number }
        & Event;
      feed.progressed(exportId, { stage, done, total });
    },
    made: (...made) => after(() => watcher.made(...made)),
    ended: (end, seconds, at) => {
      watcher.ended(end, seconds, at);
      feed.ended(exportId);
    },
  };
}
