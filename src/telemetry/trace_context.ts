/** The W3C Trace Context header, `traceparent`, which links spans of several programs. */

export interface TraceContext {
  /** 32 hex digits, not all 0. */
  traceId: string;
  /** 16 hex digits, not all 0: the parent span. */
  spanId: string;
  /** Whether the caller records its trace; if not, neither do we. */
  sampled: boolean;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Undefined for an invalid header (section 3.2.2.3). Later versions may append fields. */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  const [, version = "ff", traceId = "", spanId = "", flags = "", rest] =
    pattern.exec(text ?? "") ?? [];
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}
