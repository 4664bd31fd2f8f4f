/**
 * The two text formats: prom-client writes OpenMetrics, from which the classic format is derived.
 * Sources: OpenMetrics 1.0, "Exemplars"; Prometheus, "Text-based format".
 */

export const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/** Prometheus 3 refuses a scrape without the right content type. */
export const classicType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * To the classic format: no exemplars, no end mark, counters with `_total` in HELP and TYPE too.
 * Only for text of prom-client: our label values never contain ` # {`.
 */
export function classicOf(openMetrics: string): string {
  const lines = openMetrics.replace(/\n?# EOF\n$/, "").split("\n");
  const counters = new Set(lines.flatMap((line) => /^# TYPE (\S+) counter$/.exec(line)?.[1] ?? []));
  return lines.map((line) => classicLine(line, counters)).join("\n") + "\n";
}

function classicLine(line: string, counters: ReadonlySet<string>): string {
  if (!line.startsWith("#")) return line.replace(/ # \{.*$/, "");
  const [, kind = "", name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
  return counters.has(name) ? `# ${kind} ${name}_total ${rest}` : line;
}
