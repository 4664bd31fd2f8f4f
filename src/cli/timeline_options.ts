import { flag, type Flags, type Options, text } from "./command.ts";
import { serviceOptions } from "./options.ts";

export const timelineOptions = {
  tenant: text("name", "tenant whose exports are shown (default: the first one of the service)"),
  export: text("id", "the same as the argument export"),
  event: text("id", "show only this event"),
  after: text("id", "show only events after this one"),
  before: text("id", "show only events before this one"),
  newest: flag("show the last events instead of the first"),
  follow: flag("show new events until interrupted, or until the export has ended"),
  limit: text("count", "show at most this many events, up to 500", { default: "100" }),
  ...serviceOptions,
} satisfies Options;

export type TimelineFlags = Flags<typeof timelineOptions>;
