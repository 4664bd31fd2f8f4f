/** One export on its way into the timeline. What cannot be written is reported and does not end the export. */
import type { Outcome } from "./job.ts";
import type { EventOf, Timeline } from "./timeline.ts";

/** What is told of an export; the kinds of events are the business of who tells them. */
export interface Watcher<Event> {
  queued(): void;
  started(attempt: number): void;
  told(event: Event): void;
  made(bytes: number, artifacts?: Readonly<Record<string, number>>): void;
  ended(end: Outcome, seconds: number): void;
}

/** Tells `watcher` everything, and writes each step into the timeline too. */
export function alsoInTimeline<Event extends { kind: string; stage?: string }>(
  watcher: Watcher<Event>,
  of: EventOf,
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
  let last: string | undefined;
  return {
    queued: () => (watcher.queued(), add("queued", {})),
    started: (attempt) => (watcher.started(attempt), add("started", { attempt })),
    told: (event) => {
      watcher.told(event);
      const { kind, ...attributes } = event;
      if (kind !== "progress") return add(kind, attributes);
      // Progress names its stage over and over; the first time is the step.
      if (event.stage !== undefined && event.stage !== last) add(last = event.stage, {});
    },
    made: (bytes, artifacts) => {
      watcher.made(bytes, artifacts);
      add("made", { bytes, ...(artifacts === undefined ? {} : { artifacts }) });
    },
    ended: (end, seconds) => {
      watcher.ended(end, seconds);
      const { state, bundleDigest, error } = end;
      add(state, { seconds, ...(bundleDigest && { bundleDigest }), ...(error && { error }) });
    },
  };
}
