/** What a service left out of an export, as its timeline tells it. */
import type { LeftOutCounts } from "./risk_report.ts";
import { objectOf } from "./service_answer.ts";
import type { ServiceClient } from "./service_client.ts";

export interface LeftOutThere {
  /** Of risk data alone. */
  leftOut?: LeftOutCounts;
  /** Absent where the service does not say it, as one of an earlier version. */
  emptyDirectoryCount?: number;
}

/** Nothing where the timeline cannot be read: the export succeeded all the same. */
export async function leftOutThere(
  client: ServiceClient,
  { id, tenant }: { id: string; tenant: string },
): Promise<LeftOutThere> {
  const asked = new URLSearchParams({ exportId: id, tenant, first: "newest", limit: "100" });
  const answer = await client.call({ path: `/v1/timeline?${asked}` }).catch(() => undefined);
  if (answer?.status !== 200) return {};
  const { items } = objectOf(answer);
  // An earlier attempt may have made a bundle too, and failed after that.
  const made = Array.isArray(items) ? items.find((one) => one?.stage === "made") : undefined;
  const { leftOut, emptyDirectoryCount } = made?.attributes ?? {};
  return {
    ...(leftOut === undefined || leftOut === null ? {} : { leftOut: countsOf(leftOut) }),
    ...(typeof emptyDirectoryCount === "number" ? { emptyDirectoryCount } : {}),
  };
}

function countsOf(told: Record<string, unknown>): LeftOutCounts {
  const count = (value: unknown) => typeof value === "number" ? value : 0;
  const { invalid, bad_id: badIds, unread } = told;
  return { invalid: count(invalid), bad_id: count(badIds), unread: count(unread) };
}
