/**
 * The HTTP server of the service: a Hono app that tests can call without a port. Operations and the
 * API share their rules: every request passes the guard, every response has the same headers, every
 * refusal is a problem document (RFC 9457).
 */
import { Hono } from "hono";
import type { Config } from "../config/load.ts";
import { authenticate, mayName, needs, tokenChecker } from "./access.ts";
import type { Access, App, OpsDeps, ServerDeps } from "./deps.ts";
import { auditRefusals } from "./audit.ts";
import { addEvents } from "./export_events.ts";
import { addFiles } from "./export_files.ts";
import { addExports } from "./exports.ts";
import { guard, isLocal, type Names, setHeaders } from "./guard.ts";
import { addHealth } from "./health.ts";
import { limitDownloads, limitRequests } from "./limit.ts";
import { addManual } from "./manual.ts";
import { measure } from "./measure.ts";
import { openApi } from "./openapi.ts";
import { problem, problemOf } from "./problem.ts";
import { addRunbook } from "./runbook.ts";
import { statusOf } from "./status.ts";
import { addTimeline } from "./timeline.ts";

/** All routes; `names` are the host names by which clients may reach the service. */
export function createServer(deps: ServerDeps, names: Names): App {
  const app = base(deps, names);
  addOperations(app, deps, tokenChecker(deps.config));
  const description = openApi(deps.build.version);
  app.get("/openapi.json", (c) => c.json(description));
  const { config, onRefused } = deps;
  app.use("/v1/*", authenticate(config), limitRequests(config, onRefused));
  const downloads = limitDownloads(config, onRefused);
  app.use("/v1/exports/:id/files/*", downloads);
  app.use("/v1/exports/:id/bundle.tar", downloads);
  addExports(app, deps);
  addEvents(app, deps);
  addFiles(app, deps);
  addTimeline(app, deps);
  app.get("/v1/profiles", needs("read"), (c) => {
    return c.json({ items: profilesOf(config, c.get("access")), next: null });
  });
  return finished(app, deps);
}

/** Operations only, for a separate address: no tokens, and nothing can be changed. */
export function createOpsServer(deps: OpsDeps, names: Names): App {
  const app = base(deps, names);
  addOperations(app, deps);
  return finished(app, deps);
}

function base(deps: OpsDeps, names: Names): App {
  const app: App = new Hono();
  app.use(measure(deps), auditRefusals(deps), setHeaders, guard(names));
  return app;
}

/** `isKnown` checks the token of an Authorization header; the operations address knows none. */
function addOperations(
  app: App,
  deps: OpsDeps,
  isKnown: (authorization: string | undefined) => boolean = () => false,
): void {
  addHealth(app, deps, (c) => {
    if (isLocal(c)) return "all";
    return isKnown(c.req.header("authorization")) ? "without paths" : "none";
  });
  app.get("/status", async (c) => {
    return c.json(await statusOf(deps, isKnown(c.req.header("authorization"))));
  });
  app.get("/metrics", async (c) => {
    const { body, contentType } = await deps.scrape(wantsOpenMetrics(c.req.header("accept")));
    return c.body(body, 200, { "content-type": contentType });
  });
  app.get("/signing.pub", (c) => {
    const pem = deps.publicKey();
    if (pem !== undefined) return c.body(pem, 200, { "content-type": "application/x-pem-file" });
    const hint = "run an export: the first one makes the key";
    return problem(c, "not_found", "No signing key yet", { hint });
  });
  addRunbook(app);
  addManual(app);
}

function finished(app: App, deps: OpsDeps): App {
  refuseOtherMethods(app);
  app.notFound((c) => problem(c, "not_found", "Not found"));
  app.onError((error, c) => problemOf(c, error, deps));
  return app;
}

/** Prometheus lists it first; without it, or with q=0, a client gets the classic text. */
function wantsOpenMetrics(accept = ""): boolean {
  return accept.split(",").some((part) =>
    /^\s*application\/openmetrics-text\s*(;|$)/i.test(part) && !/;\s*q=0(\.0*)?\s*(;|$)/i.test(part)
  );
}

/** The profiles that the caller can export; their sources and targets are not shown. */
function profilesOf(config: Config, access: Access) {
  return [...config.profiles.values()].filter((one) => mayName(access, one))
    .map(({ name, kind, compression, slaSeconds = null }) => ({
      name,
      kind,
      compression,
      slaSeconds,
    }));
}

/** A known path with another method is 405 (RFC 9110 section 15.5.6), not 404. */
function refuseOtherMethods(app: App): void {
  const routes = app.routes.filter(({ method }) => method !== "ALL");
  for (const [path, all] of Map.groupBy(routes, (route) => route.path)) {
    const methods = all.flatMap(({ method }) => method === "GET" ? ["GET", "HEAD"] : [method]);
    const allow = [...new Set(methods)].join(", ");
    app.all(path, (c) => {
      c.header("allow", allow);
      return problem(c, "method_not_allowed", `This path allows ${allow}`);
    });
  }
}
