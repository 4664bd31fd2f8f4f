/** Measures requests by route template: by path, anybody could create a million series. */
import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import type { Handler, OpsDeps } from "./deps.ts";

export function measure({ elapsed, onAnswered }: OpsDeps): Handler {
  return async (c, next) => {
    const started = elapsed();
    await next();
    onAnswered(c.req.method, routeOf(c), c.res.status, (elapsed() - started) / 1000);
  };
}

/** Handlers for all methods are ours too: they refuse. */
export function routeOf(c: Context): string {
  return matchedRoutes(c).find(({ method }) => method !== "ALL")?.path ?? "other";
}
