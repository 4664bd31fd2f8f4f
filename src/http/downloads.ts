/** Limits concurrent downloads: a slow reader holds one of the process's thousand connections. */
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
