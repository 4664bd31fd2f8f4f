/** What is told about an export while it waits and runs: to its timeline, and to its followers. */
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

interface AnyEvent {
  kind: string;
  stage?: string;
  done?: number;
  total?: number;
}

/** Passes everything on to each of `watchers`, in this order. */
export function watchedBy<Event>(...watchers: Watcher<Event>[]): Watcher<Event> {
  return {
    queued: () => watchers.forEach((one) => one.queued()),
    started: (attempt) => watchers.forEach((one) => one.started(attempt)),
    deferred: (error, wait) => watchers.forEach((one) => one.deferred(error, wait)),
    lost: () => watchers.forEach((one) => one.lost()),
    onEvent: (event) => watchers.forEach((one) => one.onEvent(event)),
    made: (...made) => watchers.forEach((one) => one.made(...made)),
    ended: (...end) => watchers.forEach((one) => one.ended(...end)),
  };
}

/** Records each step in the timeline. A write error is reported and does not end the export. */
export function timelineWatcher(
  of: EventOf & { trigger?: string; actor?: string },
  timeline: Pick<Timeline, "add">,
  onFault: (error: unknown) => void,
): Watcher<AnyEvent> {
  const add = (stage: string, attributes: Record<string, unknown> = {}) => {
    try {
      timeline.add(of, stage, attributes);
    } catch (error) {
      onFault(error);
    }
  };
  let last: string | undefined;
  return {
    queued: () => add("queued", { trigger: of.trigger, actor: of.actor }),
    started: (attempt) => add("started", { attempt }),
    deferred: (error, wait) => {
      last = undefined;
      add("deferred", { error, seconds: wait / 1000 });
    },
    lost: () => add("lost"),
    onEvent: ({ kind, ...attributes }) => {
      const { stage } = attributes;
      if (kind !== "progress") add(kind, attributes);
      // Progress events repeat their stage; the first one is the step.
      else if (stage !== undefined && stage !== last) add(last = stage);
    },
    made: (bytes, artifacts, leftOut, emptyDirectoryCount) =>
      add("made", { bytes, artifacts, leftOut, emptyDirectoryCount }),
    ended: ({ state, bundleDigest, error }, seconds) =>
      add(state, { seconds, bundleDigest, error }),
  };
}

/** Notifies the followers of the export. */
export function feedWatcher(exportId: string, feed: Feed): Watcher<AnyEvent> {
  const changed = () => feed.notify(exportId);
  return {
    queued: changed,
    started: changed,
    deferred: changed,
    lost: changed,
    onEvent: ({ kind, stage = "", done = 0, total = 0 }) =>
      kind === "progress" ? feed.progressed(exportId, { stage, done, total }) : changed(),
    made: changed,
    ended: () => feed.ended(exportId),
  };
}
