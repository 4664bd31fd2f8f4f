/**
 * Writes the steps of an export to its timeline. A write error is reported and does not end the
 * export.
 */
import type { Feed } from "./feed.ts";
import type { JobError, Outcome } from "./job.ts";
import type { EventOf, Timeline } from "./timeline.ts";

/** Observer of one export; the caller defines the kinds of events. */
export interface Watcher<Event> {
  queued(): void;
  started(attempt: number): void;
  /** It failed and will be retried after `wait` milliseconds. */
  deferred(error: JobError, wait: number): void;
  /** Another process runs it now. */
  lost(): void;
  onEvent(event: Event): void;
  /**
   * `leftOut` counts what is missing from a bundle of risk data, by reason; `emptyDirectoryCount`
   * the empty directories, which no bundle contains.
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

/** Forwards everything to `watcher` and records each step in the timeline. */
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
      // Progress events repeat their stage; the first one is the step.
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

/** Forwards everything to `watcher`, then notifies the followers of the export. */
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
