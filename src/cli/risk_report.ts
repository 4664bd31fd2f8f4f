/** What an export of risk data left out, as text: by provider, if there is anything. */
import type { ProviderSummary } from "../export/report.ts";
import { counted } from "./render.ts";

/** By reason; the reasons are those of the metric. */
export interface LeftOutCounts {
  invalid: number;
  bad_id: number;
  unread: number;
}

/** Empty where nothing was left out. */
export function countsText({ invalid, bad_id: badIds, unread }: LeftOutCounts): string {
  return [
    invalid > 0 ? counted(invalid, "bad record") : "",
    badIds > 0 ? counted(badIds, "bad id") : "",
    unread > 0 ? `${counted(unread, "file")} not read` : "",
  ].filter((part) => part !== "").join(", ");
}

export function leftOutLines(risk: readonly ProviderSummary[] = []): string[] {
  const lines = risk.flatMap(({ name, rejected, badIds, unread }) => {
    const parts = countsText({ invalid: rejected, bad_id: badIds, unread });
    return parts === "" ? [] : [`  left out  ${name}: ${parts}`];
  });
  return lines.length === 0
    ? []
    : [...lines, "            see rejected.ndjson and providers.json in the bundle"];
}
