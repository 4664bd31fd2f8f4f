/** Options of `stella timeline`. */
import type { Flags, Options } from "./command.ts";
import { serviceOptions } from "./options.ts";

export const timelineOptions = {
  tenant: {
    kind: "text",
    help: "whose exports (default: the first one of the service)",
    value: "name",
  },
  export: { kind: "text", help: "of this export only", value: "id" },
  event: { kind: "text", help: "this one event", value: "id" },
  after: { kind: "text", help: "only events after this one", value: "id" },
  before: { kind: "text", help: "only events before this one", value: "id" },
  newest: { kind: "flag", help: "the last events instead of the first" },
  follow: {
    kind: "flag",
    help: "show new events until interrupted, or until the export has ended",
  },
  limit: { kind: "text", help: "at most so many, up to 500", value: "count", default: "100" },
  ...serviceOptions,
} as const satisfies Options;

export type TimelineFlags = Flags<typeof timelineOptions>;
