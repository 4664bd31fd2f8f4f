/**
 * Limits concurrent downloads. A slow reader holds a connection, of which the process has a
 * thousand, so here too a tenant leaves room for the others.
 */
import type { MiddlewareHandler } from "hono";
import type { Config } from "../config/load.ts";
import type { AppEnvironment, OpsDeps } from "./deps.ts";
import { placesFor, tooManyRequests } from "./limit.ts";

/** A place is held until the last byte was read, or the client is gone. */
export function limitDownloads(
  config: Pick<Config, "tokens" | "service">,
  onRefused: OpsDeps["onRefused"],
): MiddlewareHandler<AppEnvironment> {
  const { max, take } = placesFor(config, Math.ceil(config.service.maxRequests / 2));
  return async (c, next) => {
    // The body of a HEAD response is never read or closed.
    if (c.req.method !== "GET") return await next();
    const leave = take(c.get("access"));
    if (leave === undefined) {
      return tooManyRequests(c, onRefused, `Too many downloads are running (limit: ${max})`);
    }
    let isSent = false;
    try {
      await next();
      const { body, ok } = c.res;
      if (!ok || body === null) return;
      c.res = new Response(untilRead(body, leave), c.res);
      isSent = true;
    } finally {
      if (!isSent) leave();
    }
  };
}

/** The same bytes; `leave` is called when they were read, or the reader cancelled. */
function untilRead(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  leave: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch((error) => {
        leave();
        throw error;
      });
      if (!done) return controller.enqueue(value);
      leave();
      controller.close();
    },
    async cancel(reason) {
      leave();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
