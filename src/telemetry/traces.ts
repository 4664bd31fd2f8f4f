/**
 * Traces, put together; loaded only where the configuration names a collector, so that without one there is neither code
 * nor socket for them. Deno's own OpenTelemetry is never used: it connects past the permissions (platform.md trap 6).
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
  /** Undefined where the caller records nothing. */
  ofExport(of: TracedExport): ExportTrace | undefined;
  ofRequest(traceparent: string | undefined): RequestTrace;
  /** Sends what waits, for at most so many milliseconds. */
  close(bound: number): Promise<void>;
}

export interface TracesOptions extends Omit<TraceParts, "add"> {
  post: Post;
  resource: Attributes;
  version: string;
  log: Log;
  metrics: Pick<Metrics, "spans">;
}

export function openTraces(options: TracesOptions): Traces {
  const { post, resource, version, log, metrics, ...rest } = options;
  const exporter = new SpanExporter({
    post,
    resource,
    version,
    onSpans: (result, count) => metrics.spans(result, count),
    onChange: (problem) =>
      problem === undefined
        ? log("INFO", "traces.sent", "The collector of traces answers again")
        : log("WARN", "traces.failed", "Spans cannot be sent to the collector of traces", {
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
