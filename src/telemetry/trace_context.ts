/** Which trace a piece of work belongs to, as it travels between programs. Source: W3C Trace Context, `traceparent`. */

export interface TraceContext {
  /** 32 hex digits, not all 0. */
  traceId: string;
  /** 16 hex digits, not all 0: of the span that is the parent of what follows. */
  spanId: string;
  /** Whether the caller records; where it does not, neither do we. */
  sampled: boolean;
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Undefined for what is no context: it is then as if none had come (section 3.2.2.3). A later version may say more after it. */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  const [, version = "ff", traceId = "", spanId = "", flags = "", rest] =
    pattern.exec(text ?? "") ??
      [];
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}
