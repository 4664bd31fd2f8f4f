/** The metrics of one run. Source: Prometheus exposition format 0.0.4; node_exporter, textfile. */
import { leftOutOf, type ProviderSummary } from "../export/report.ts";

const lastSuccess = "export_run_last_success_timestamp_seconds";
/** Of other commands and profiles: a foreign file must not grow without end. */
const maxSuccesses = 100;

/** Lines of earlier successes by their labels: a failed run must keep them. */
export function previousSuccesses(text: string): Map<string, string> {
  const lines = text.matchAll(
    new RegExp(`^${lastSuccess}(\\{[^\\n]*\\}) (\\d+(?:\\.\\d+)?)$`, "gm"),
  );
  return new Map([...lines].slice(-maxSuccesses).map((one) => [one[1] ?? "", one[2] ?? ""]));
}

/** Characters; labels are ASCII as names are, so these are bytes. */
const block = 4096;

/** What of a result the metrics show. */
export interface RunResult {
  bundle?: { profile?: string; files?: number; bytes?: number };
  findings?: readonly { reason?: string }[];
  risk?: readonly ProviderSummary[];
}

export interface Run {
  command: string;
  profile: string | undefined;
  code: number;
  json: RunResult;
  /** Milliseconds since 1970. */
  started: number;
  ended: number;
}

export function runMetrics(run: Run, before: ReadonlyMap<string, string>): string {
  const { bundle, findings = [], risk } = run.json;
  const labels = { command: run.command, profile: bundle?.profile ?? run.profile ?? "" };
  const of = labelText(labels);
  const one = (name: string, help: string, value: number) =>
    metric(name, help, [[of, String(value)]]);
  const isGood = run.code === 0;
  const ended = run.ended / 1000;
  const successes = new Map(isGood ? [...before, [of, String(ended)]] : before);
  const counts = Map.groupBy(findings, (finding) => finding.reason ?? "other");
  return filled([
    one("export_run_success", "1 where the newest run ended with code 0, else 0.", Number(isGood)),
    one("export_run_exit_code", "Exit code of the newest run.", run.code),
    one(
      "export_run_duration_seconds",
      "How long the newest run took.",
      (run.ended - run.started) / 1000,
    ),
    one("export_run_end_timestamp_seconds", "When the newest run ended.", ended),
    metric(lastSuccess, "When a run last succeeded.", [...successes]),
    one("export_run_payload_files", "Files in the payload of its bundle.", bundle?.files ?? 0),
    one("export_run_payload_bytes", "Bytes in the payload of its bundle.", bundle?.bytes ?? 0),
    metric(
      "export_run_findings",
      "What the newest run found wrong, by reason.",
      [...counts].toSorted(([a], [b]) => a < b ? -1 : 1)
        .map(([reason, found]) => [labelText({ ...labels, reason }), String(found.length)]),
    ),
    metric(
      "export_run_risk_records_left_out",
      "What is left out of its risk bundle, by reason.",
      Object.entries(leftOutOf(risk) ?? {})
        .map(([reason, count]) => [labelText({ ...labels, reason }), String(count)]),
    ),
  ].join(""));
}

/**
 * Fills a text up to whole blocks with a comment: after verification it can only be written in
 * place, and a collector sees no half of a text that replaces one of the same length.
 */
function filled(text: string): string {
  const rest = -(text.length + 2) % block + block;
  return `${text}#${" ".repeat(rest)}\n`;
}

/** Nothing at all where there is no sample. */
function metric(
  name: string,
  help: string,
  samples: readonly (readonly [string, string])[],
): string {
  if (samples.length === 0) return "";
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`).join("");
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines}`;
}

/** A profile's name may come from a bundle: it must stay inside the quotes. */
function labelText(labels: Record<string, string>): string {
  const escape = (value: string) =>
    value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return `{${pairs.join(",")}}`;
}
