/**
 * Traces an export: a span for its whole life, and below it one for its wait, each attempt, stage
 * and push. The caller's context (traceparent) is stored with the job, so that API, queue, worker
 * and registry form one trace; without one the trace id is the exportId.
 */
import type { Clocks } from "../domain/time.ts";
import type { EventOf, ExportEvent, ExportRef } from "../domain/export_event.ts";
import type { ErrorRecord } from "../domain/errors.ts";
import type { Attributes, Span, SpanKind } from "./span.ts";
import { formatTraceparent, parseTraceparent, type TraceContext } from "./trace_context.ts";

export interface TracedExport extends ExportRef {
  /** Milliseconds since 1970. */
  createdAt: number;
  /** The span that requested it. */
  traceparent?: string;
}

export interface ExportEnd {
  state: "succeeded" | "failed" | "cancelled";
  bundleDigest?: string;
  error?: ErrorRecord;
}

export interface TraceParts extends Clocks {
  add(span: Span): void;
  random(bytes: Uint8Array): Uint8Array;
  escape(text: string): string;
}

/** Undefined if the caller's context is not sampled. */
export function startTrace(of: TracedExport, parts: TraceParts): ExportTrace | undefined {
  const parent = parseTraceparent(of.traceparent);
  return parent?.sampled === false ? undefined : new ExportTrace(of, parts, parent);
}

interface OpenSpan {
  spanId: string;
  name: string;
  start: number;
  /** Monotonic; undefined if it started before this process. */
  since: number | undefined;
  attributes: Attributes;
}

export class ExportTrace {
  readonly traceId: string;
  readonly #root: { spanId: string; parentSpanId: string | undefined };
  #attempt: OpenSpan | undefined;
  #stage: OpenSpan | undefined;
  #digest: string | undefined;
  #attestation: "pending" | "verified" | "failed" = "pending";

  /** Both ids follow from the exportId: after a restart the same trace and span continue. */
  constructor(
    readonly of: TracedExport,
    readonly parts: TraceParts,
    parent: TraceContext | undefined,
  ) {
    const hex = of.exportId.replaceAll("-", "");
    this.traceId = parent?.traceId ?? hex;
    this.#root = { spanId: hex.slice(16), parentSpanId: parent?.spanId };
  }

  started(attempt: number): void {
    this.#digest = undefined;
    if (attempt === 1) this.#close(this.#openSinceRequest("export.queue"), this.#root.spanId);
    this.#attempt = this.#open("export.attempt", { "export.attempt": attempt });
  }

  onEvent(event: ExportEvent): void {
    if (event.kind === "progress") this.#stageIs(event.stage);
    else if (event.kind === "pushed") this.#pushed(event);
    else if (event.kind === "signed" || event.kind === "unchanged") {
      this.#digest = event.bundleDigest;
    } else if (event.kind === "verified") {
      this.#attestation = event.result === "success" ? "verified" : "failed";
    }
  }

  ended({ state, bundleDigest, error }: ExportEnd): void {
    const failure = error === undefined ? undefined : this.parts.escape(error.message);
    this.#endStage(failure);
    if (this.#attempt !== undefined) this.#close(this.#attempt, this.#root.spanId, failure);
    const digest = bundleDigest ?? this.#digest;
    const attributes = { state, bundleDigest: digest, "error.type": error?.code };
    const whole = this.#openSinceRequest("export", attributes);
    this.#close({ ...whole, spanId: this.#root.spanId }, this.#root.parentSpanId, failure);
    this.#attempt = undefined;
  }

  #stageIs(stage: string): void {
    if (stage === this.#stage?.attributes["stage"]) return;
    this.#endStage();
    this.#stage = this.#open(`export.stage ${stage}`, { stage });
  }

  #endStage(failure?: string): void {
    if (this.#stage !== undefined) this.#close(this.#stage, this.#attempt?.spanId, failure);
    this.#stage = undefined;
  }

  /** `registry` is the configured name; hosts are not traced. */
  #pushed({ registry, result, seconds }: EventOf<"pushed">): void {
    const push = this.#open("registry.push", { registry, "push.result": result });
    const failure = result === "success" ? undefined : result;
    const parent = this.#stage?.spanId ?? this.#attempt?.spanId;
    const start = push.start - seconds * 1000;
    this.#close({ ...push, start, since: push.since - seconds * 1000 }, parent, failure, "client");
  }

  #open(name: string, attributes: Attributes = {}): OpenSpan & { since: number } {
    const { now, elapsed, random } = this.parts;
    const spanId = random(new Uint8Array(8)).toHex();
    return { spanId, name, start: now(), since: elapsed(), attributes };
  }

  #openSinceRequest(name: string, attributes?: Attributes): OpenSpan {
    return { ...this.#open(name, attributes), start: this.of.createdAt, since: undefined };
  }

  /** Every span has the attributes of the log, so that each can be found by itself. */
  #close(
    { since, ...open }: OpenSpan,
    parent: string | undefined,
    error?: string,
    kind: SpanKind = "internal",
  ): void {
    const { exportId, profile, tenant } = this.of;
    const known = { attestationStatus: this.#attestation, bundleDigest: this.#digest };
    const rootId = this.#root.spanId;
    this.parts.add({
      ...open,
      traceId: this.traceId,
      parentSpanId: parent ?? (open.spanId === rootId ? undefined : rootId),
      kind,
      end: endOf(open.start, since, this.parts),
      attributes: { exportId, profile, tenant, ...known, ...open.attributes },
      error,
    });
  }
}

function endOf(start: number, since: number | undefined, { now, elapsed }: TraceParts): number {
  return since === undefined ? Math.max(start, now()) : start + elapsed() - since;
}

/** A request for an export: its `traceparent` is queued with the job; `end` records the result. */
export type RequestTrace = ReturnType<typeof traceRequest>;

/** `header` is the caller's traceparent; without a valid one a new trace starts. */
export function traceRequest(header: string | undefined, parts: TraceParts) {
  const [start, since] = [parts.now(), parts.elapsed()];
  const id = (bytes: number) => parts.random(new Uint8Array(bytes)).toHex();
  const parent = parseTraceparent(header);
  const context: TraceContext = {
    traceId: parent?.traceId ?? id(16),
    spanId: id(8),
    sampled: parent?.sampled ?? true,
  };
  return {
    traceparent: formatTraceparent(context),
    end: ({ status, ...of }: ExportRef & { status: number }) => {
      if (!context.sampled) return;
      parts.add({
        traceId: context.traceId,
        spanId: context.spanId,
        parentSpanId: parent?.spanId,
        name: "POST /v1/exports",
        kind: "server",
        start,
        end: endOf(start, since, parts),
        attributes: {
          ...of,
          "http.request.method": "POST",
          "http.route": "/v1/exports",
          "http.response.status_code": status,
        },
      });
    },
  };
}
