/**
 * What an export of risk data left out, for a person: by provider, and only where there is
 * something.
 */
import type { RiskSummary } from "../export/report.ts";
import { counted } from "./render.ts";

export function leftOutLines(risk: readonly RiskSummary[] = []): string[] {
  const lines = risk.flatMap(({ name, rejected, badIds, unread }) => {
    const parts = [
      rejected > 0 ? counted(rejected, "bad record") : "",
      badIds > 0 ? counted(badIds, "bad id") : "",
      unread > 0 ? `${counted(unread, "file")} not read` : "",
    ].filter((part) => part !== "");
    return parts.length === 0 ? [] : [`  left out  ${name}: ${parts.join(", ")}`];
  });
  return lines.length === 0
    ? []
    : [...lines, "            see rejected.ndjson and providers.json in the bundle"];
}
