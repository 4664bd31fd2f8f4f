/** Options of `stella timeline`. */
import type { Flags, Options } from "./command.ts";
import { serviceOptions } from "./options.ts";

export const timelineOptions = {
  tenant: {
    kind: "text",
    help: "tenant whose exports are shown (default: the first one of the service)",
    value: "name",
  },
  export: { kind: "text", help: "the same as the argument export", value: "id" },
  event: { kind: "text", help: "show only this event", value: "id" },
  after: { kind: "text", help: "show only events after this one", value: "id" },
  before: { kind: "text", help: "show only events before this one", value: "id" },
  newest: { kind: "flag", help: "show the last events instead of the first" },
  follow: {
    kind: "flag",
    help: "show new events until interrupted, or until the export has ended",
  },
  limit: {
    kind: "text",
    help: "show at most this many events, up to 500",
    value: "count",
    default: "100",
  },
  ...serviceOptions,
} as const satisfies Options;

export type TimelineFlags = Flags<typeof timelineOptions>;
