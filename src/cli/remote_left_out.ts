/** What a service left out of an export of risk data, as its timeline tells it. */
import type { LeftOutCounts } from "./risk_report.ts";
import { objectOf } from "./service_answer.ts";
import type { ServiceClient } from "./service_client.ts";

/** Undefined where there is no risk data, or the timeline cannot be read: it succeeded all the same. */
export async function leftOutThere(
  client: ServiceClient,
  { id, tenant }: { id: string; tenant: string },
): Promise<LeftOutCounts | undefined> {
  const asked = new URLSearchParams({ exportId: id, tenant, first: "newest", limit: "100" });
  const answer = await client.call({ path: `/v1/timeline?${asked}` }).catch(() => undefined);
  if (answer?.status !== 200) return undefined;
  const { items } = objectOf(answer);
  for (const one of Array.isArray(items) ? items : []) {
    const found = one?.stage === "made" ? one.attributes?.leftOut : undefined;
    if (found === undefined || found === null) continue;
    const count = (value: unknown) => typeof value === "number" ? value : 0;
    const { invalid, bad_id: badIds, unread } = found;
    return { invalid: count(invalid), bad_id: count(badIds), unread: count(unread) };
  }
  return undefined;
}
