/**
 * How many requests to the API are open at once. Beyond that a caller is told at once to come back, instead of taking one more
 * connection of which the process has a thousand. Operations are not limited: health and metrics have to answer just then.
 */
import type { MiddlewareHandler } from "hono";
import type { AppEnvironment, OpsDeps } from "./deps.ts";
import { problem } from "./problem.ts";

/** Open until its answer begins, so a body that does not come counts, and a file that is being sent does not. */
export function limitRequests(
  most: number,
  onRefused: OpsDeps["onRefused"],
): MiddlewareHandler<AppEnvironment> {
  let open = 0;
  return async (c, next) => {
    if (open >= most) {
      onRefused("busy");
      c.header("retry-after", "1");
      const detail = `The service has ${most} open requests already`;
      return problem(c, { status: 503, code: "internal", detail, hint: "ask again in a second" });
    }
    open++;
    try {
      return await next();
    } finally {
      open--;
    }
  };
}
