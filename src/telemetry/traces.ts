/**
 * Wires tracing; loaded only if a collector is configured. Deno's own OpenTelemetry is never used:
 * it connects regardless of the permissions.
 */
import { startTrace, type TracedExport, type TraceParts, traceRequest } from "./export_trace.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Attributes, Span } from "./span.ts";
import { type Post, SpanExporter } from "./span_exporter.ts";

export interface TracesOptions extends Omit<TraceParts, "add"> {
  post: Post;
  resource: Attributes;
  version: string;
  log: Log;
  metrics: Pick<Metrics, "count">;
}

/** `ofExport` is undefined if the caller does not record its trace. */
export function openTraces(options: TracesOptions) {
  const { post, resource, version, log, metrics, ...rest } = options;
  const exporter = new SpanExporter({
    post,
    resource,
    version,
    onSpans: (result, count) => metrics.count("export_trace_spans_total", { result }, count),
    onChange: (detail) =>
      detail === undefined
        ? log("INFO", "traces.sent", "trace collector available again")
        : log("WARN", "traces.failed", "spans not sent to the trace collector", { detail }),
  });
  const parts = { ...rest, add: (span: Span) => exporter.add(span) };
  return {
    ofExport: (of: TracedExport) => startTrace(of, parts),
    ofRequest: (traceparent: string | undefined) => traceRequest(traceparent, parts),
    /** Sends the remaining spans, for at most this many milliseconds. */
    close: (bound: number) => exporter.close(bound),
  };
}
