/**
 * Limits concurrent API requests and downloads: beyond the limit the answer is 503 with Retry-After,
 * and a tenant leaves room for the others, because the process only has a thousand connections.
 * Operations are not limited: health and metrics must respond then.
 */
import type { Context } from "hono";
import type { Config } from "../config/load.ts";
import { FairLimiter } from "../jobs/fair_limiter.ts";
import type { Access, AppEnvironment, Handler, OpsDeps } from "./deps.ts";
import { problem } from "./problem.ts";

type Limits = Pick<Config, "tokens" | "service">;

/** A place is held until the response starts: a slow body counts, a file being sent does not. */
export function limitRequests(config: Limits, onRefused: OpsDeps["onRefused"]): Handler {
  const take = placesFor(config, config.service.maxRequests, "requests are open", onRefused);
  return async (c, next) => {
    const leave = take(c);
    if (leave instanceof Response) return leave;
    try {
      return await next();
    } finally {
      leave();
    }
  };
}

/** A place is held until the last byte was read, or the client is gone. */
export function limitDownloads(config: Limits, onRefused: OpsDeps["onRefused"]): Handler {
  const max = Math.ceil(config.service.maxRequests / 2);
  const take = placesFor(config, max, "downloads are running", onRefused);
  return async (c, next) => {
    // The body of a HEAD response is never read or closed.
    if (c.req.method !== "GET") return await next();
    const leave = take(c);
    if (leave instanceof Response) return leave;
    let release = leave;
    try {
      await next();
      const { body, ok } = c.res;
      if (!ok || body === null) return;
      c.res = new Response(untilRead(body, leave), c.res);
      release = () => {};
    } finally {
      release();
    }
  };
}

/** The same bytes; `leave` is called when they were read, failed, or the reader cancelled. */
export function untilRead<Bytes>(
  body: ReadableStream<Bytes>,
  leave: () => void,
): ReadableStream<Bytes> {
  return body.pipeThrough(new TransformStream<Bytes, Bytes>({ flush: leave, cancel: leave }));
}

/** Takes a place, or refuses: the same answer whether all or the tenant's share are taken. */
function placesFor({ tokens }: Limits, max: number, what: string, onRefused: OpsDeps["onRefused"]) {
  const places = new FairLimiter(max, new Set(tokens.map(partyOf)).size);
  return (c: Context<AppEnvironment>): Response | (() => void) => {
    const leave = places.acquire(partyOf(c.get("access")));
    if (leave !== undefined) return leave;
    onRefused("busy");
    c.header("retry-after", "1");
    const hint = "try again in a second";
    return problem(c, "too_many_requests", `Too many ${what} (limit: ${max})`, { hint });
  };
}

/** Tokens of the same tenants form one party: more tokens give no larger share. */
function partyOf({ tenants }: Pick<Access, "tenants">): string {
  return tenants.toSorted().join(" ");
}
