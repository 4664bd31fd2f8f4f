/**
 * Wires tracing; loaded only if a collector is configured, so that otherwise neither its code nor a
 * socket exists. Deno's own OpenTelemetry is never used: it connects regardless of the permissions.
 */
import {
  type ExportTrace,
  type RequestTrace,
  startTrace,
  type TracedExport,
  type TraceParts,
  traceRequest,
} from "./export_trace.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Attributes } from "./span.ts";
import { type Post, SpanExporter } from "./span_exporter.ts";

export interface Traces {
  /** Undefined if the caller does not record. */
  ofExport(of: TracedExport): ExportTrace | undefined;
  ofRequest(traceparent: string | undefined): RequestTrace;
  /** Sends the remaining spans, for at most this many milliseconds. */
  close(bound: number): Promise<void>;
}

export interface TracesOptions extends Omit<TraceParts, "add"> {
  post: Post;
  resource: Attributes;
  version: string;
  log: Log;
  metrics: Pick<Metrics, "count">;
}

export function openTraces(options: TracesOptions): Traces {
  const { post, resource, version, log, metrics, ...rest } = options;
  const exporter = new SpanExporter({
    post,
    resource,
    version,
    onSpans: (result, count) => metrics.count("export_trace_spans_total", { result }, count),
    onChange: (problem) =>
      problem === undefined
        ? log("INFO", "traces.sent", "trace collector available again")
        : log("WARN", "traces.failed", "spans not sent to the trace collector", {
          detail: problem,
        }),
  });
  const parts = { ...rest, add: (span: Parameters<TraceParts["add"]>[0]) => exporter.add(span) };
  return {
    ofExport: (of) => startTrace(of, parts),
    ofRequest: (traceparent) => traceRequest(traceparent, parts),
    close: (bound) => exporter.close(bound),
  };
}
