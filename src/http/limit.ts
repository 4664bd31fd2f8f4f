/**
 * Limits concurrent API requests: beyond the limit the answer is 503 with Retry-After, and a tenant
 * leaves room for the others. Operations are not limited: health and metrics must respond then.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { Config } from "../config/load.ts";
import { FairLimiter } from "../jobs/fair_limiter.ts";
import type { Access, AppEnvironment, OpsDeps } from "./deps.ts";
import { problem } from "./problem.ts";

/** A place is held until the response starts: a slow body counts, a file being sent does not. */
export function limitRequests(
  config: Pick<Config, "tokens" | "service">,
  onRefused: OpsDeps["onRefused"],
): MiddlewareHandler<AppEnvironment> {
  const { max, take } = placesFor(config, config.service.maxRequests);
  return async (c, next) => {
    const leave = take(c.get("access"));
    if (leave === undefined) {
      return tooManyRequests(c, onRefused, `Too many requests are open (limit: ${max})`);
    }
    try {
      return await next();
    } finally {
      leave();
    }
  };
}

/** The places shared by the tenants. */
export function placesFor({ tokens }: Pick<Config, "tokens">, max: number) {
  const places = new FairLimiter(max, new Set(tokens.map(partyOf)).size);
  return { max, take: (access: Access) => places.acquire(partyOf(access)) };
}

/** The same answer whether all places or the tenant's share are taken. */
export function tooManyRequests(c: Context, onRefused: OpsDeps["onRefused"], detail: string) {
  onRefused("busy");
  c.header("retry-after", "1");
  return problem(c, "too_many_requests", detail, { hint: "try again in a second" });
}

/** Tokens of the same tenants form one party: more tokens give no larger share. */
function partyOf({ tenants }: Pick<Access, "tenants">): string {
  return tenants.toSorted().join(" ");
}
