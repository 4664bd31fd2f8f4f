/**
 * How many requests to the API are open at once. Beyond that a caller is told at once to come back,
 * instead of taking one more connection of which the process has a thousand. One tenant leaves room
 * for the others. Operations are not limited: health and metrics have to answer just then.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { Config } from "../config/load.ts";
import { FairLimiter } from "../jobs/fair_limiter.ts";
import type { Access } from "./deps.ts";
import type { AppEnvironment, OpsDeps } from "./deps.ts";
import { problem } from "./problem.ts";

/**
 * Open until its answer begins, so a body that does not come counts, and a file that is being sent
 * does not.
 */
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

/** Places that the tenants share. */
export function placesFor({ tokens }: Pick<Config, "tokens">, max: number) {
  const places = new FairLimiter(max, new Set(tokens.map(partyOf)).size);
  return { max, take: (access: Access) => places.acquire(partyOf(access)) };
}

/** The same where all places are taken and where the tenant's share is. */
export function tooManyRequests(c: Context, onRefused: OpsDeps["onRefused"], detail: string) {
  onRefused("busy");
  c.header("retry-after", "1");
  return problem(c, { status: 503, detail, hint: "ask again in a second" });
}

/** Tokens of the same tenants are one party: a tenant gets no more by having more of them. */
function partyOf({ tenants }: Pick<Access, "tenants">): string {
  return tenants.toSorted().join(" ");
}
