/**
 * The log: one JSON object per line on stderr, in the form of OpenTelemetry log records. The list
 * of fields is closed, so no secret can slip in, and all text is escaped: a name from a bundle is
 * untrusted text on the operator's terminal.
 */
import type { Clocks } from "../domain/time.ts";
import type { ErrorRecord } from "../domain/errors.ts";
import type { Trigger } from "../domain/labels.ts";
import { LineWriter, type Write } from "./line_writer.ts";

/** severityNumber of OpenTelemetry's logs data model, and the priority that journald reads. */
const severities = {
  INFO: { number: 9, priority: 6 },
  WARN: { number: 13, priority: 4 },
  ERROR: { number: 17, priority: 3 },
} as const;
export type Severity = keyof typeof severities;

interface KnownFields {
  exportId: string;
  profile: string;
  tenant: string;
  actor: string;
  trigger: Trigger;
  bundleDigest: string;
  /** Id of the export whose stored bundle an unchanged one equals. */
  sameAs: string;
  attestationStatus: "verified" | "failed" | "pending";
  /** Its name in the configuration. */
  registry: string;
  stage: string;
  durationMs: number;
  check: string;
  status: string;
  detail: string;
  method: string;
  route: string;
  client: string;
  url: string;
  path: string;
  count: number;
  error: ErrorRecord;
  /** Only if traces are on. */
  traceId: string;
}

/** Undefined values are omitted. */
export type LogFields = { readonly [Name in keyof KnownFields]?: KnownFields[Name] | undefined };

/** `event` is stable and for programs, `body` a fixed sentence for people. */
export type Log = (severity: Severity, event: string, body: string, fields?: LogFields) => void;

export interface LogOptions extends Pick<Clocks, "now"> {
  write: Write;
  resource: { "service.name": string; "service.version": string; "service.instance.id": string };
  /** Escapes untrusted text. */
  escape(text: string): string;
  journal: boolean;
  onLine?(severity: Severity): void;
}

export function openLog(options: LogOptions) {
  const lines = new LineWriter(
    options.write,
    (count) => lineOf(options, "WARN", "log.lost", "log lines lost", { count }),
  );
  const log: Log = (severity, event, body, fields = {}) => {
    lines.line(lineOf(options, severity, event, body, fields));
    options.onLine?.(severity);
  };
  return { log, drained: (bound: number) => lines.drained(bound) };
}

function lineOf(
  { now, resource, escape, journal }: LogOptions,
  severityText: Severity,
  event: string,
  body: string,
  fields: LogFields,
): string {
  const { number: severityNumber, priority } = severities[severityText];
  const timestamp = new Date(now()).toISOString();
  const record = { timestamp, severityText, severityNumber, body, event, resource, ...fields };
  const json = JSON.stringify(
    record,
    (_, value) => typeof value === "string" ? escape(value) : value,
  );
  return `${journal ? `<${priority}>` : ""}${json}\n`;
}
