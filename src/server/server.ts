/**
 * The HTTP face of the service. `createServer` gives a Hono app that a test can ask without a port; http_server.ts puts it
 * on a socket. Operations (health, status, metrics) and the API share one rule book: every request passes the guard,
 * every answer carries the same headers, every refusal is a problem document (RFC 9457).
 */
import { Hono } from "hono";
import type { Config } from "../config/load.ts";
import type { App, ServerDeps } from "./deps.ts";
import { addExports } from "./exports.ts";
import { guard, setHeaders } from "./guard.ts";
import { addHealth } from "./health.ts";
import { problem, problemOf } from "./problem.ts";
import { addRunbook } from "./runbook.ts";
import { addTimeline } from "./timeline.ts";

export function createServer(deps: ServerDeps): App {
  const app: App = new Hono();
  app.use(setHeaders, guard);
  addHealth(app, deps);
  app.get("/status", async (c) => c.json(await statusOf(deps)));
  app.get("/metrics", async (c) => {
    const { body, contentType } = await deps.scrape();
    return c.body(body, 200, { "content-type": contentType });
  });
  addExports(app, deps);
  addTimeline(app, deps);
  app.get("/v1/profiles", (c) => c.json({ items: profilesOf(deps.config), next: null }));
  addRunbook(app);
  refuseOtherMethods(app);
  app.notFound((c) => problem(c, { status: 404, detail: "There is nothing at this path" }));
  app.onError((error, c) => problemOf(c, error, deps.onFault));
  return app;
}

/** For everybody who can reach the service: no path, no digest of a configuration. */
async function statusOf({ build, binary, config, egress }: ServerDeps) {
  const sha256 = await binary;
  const { version, commit, buildDate, form } = build;
  const refused = { egress: { sealed: config.egress.sealed, refused: egress.count } };
  const whole = sha256 === undefined ? {} : { binary: { sha256 } };
  return { version, commit, buildDate, form, ...whole, features: featuresOf(config), ...refused };
}

/** What is switched on. That tokens and mostly traces are off is what an auditor wants to read. */
function featuresOf({ profiles, registries, egress, traces }: Config): Record<string, boolean> {
  const targets = [...profiles.values()].flatMap((profile) => profile.targets);
  return {
    directoryTargets: targets.some((target) => "directory" in target),
    registryTargets: registries.size > 0,
    sealed: egress.sealed,
    tokens: false,
    traces: traces !== undefined,
  };
}

/** What can be asked for; where a profile reads and writes is the configuration's secret. */
function profilesOf(config: Config) {
  return [...config.profiles.values()].map(({ name, kind, compression, slaSeconds }) => ({
    name,
    kind,
    compression,
    slaSeconds: slaSeconds ?? null,
  }));
}

/** A known path asked in another way is 405 with what it allows (RFC 9110 section 15.5.6), not 404. */
function refuseOtherMethods(app: App): void {
  const allowed = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method === "ALL") continue;
    const methods = allowed.get(path) ?? new Set<string>();
    for (const one of method === "GET" ? ["GET", "HEAD"] : [method]) methods.add(one);
    allowed.set(path, methods);
  }
  for (const [path, methods] of allowed) {
    const allow = [...methods].join(", ");
    app.all(path, (c) => {
      c.header("allow", allow);
      return problem(c, { status: 405, detail: `This path allows ${allow}` });
    });
  }
}
