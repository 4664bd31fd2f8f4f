/**
 * `deno task collector`: runs an OpenTelemetry collector with dashboards/otel-collector.yaml: the
 * machine's own where there is one, else one that is built from collector/ into dist/ where Go is
 * installed. Arguments go to the collector.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { tool } from "../support/needs.ts";
import { root } from "../support/program.ts";

const built = join(root, "dist/otelcol");

/** The path of a collector, or undefined; builds nothing. */
export function collector(): string | undefined {
  const own = ["otelcol", "otelcol-contrib"].map(tool).find((path) => path !== undefined);
  return own ?? (existsSync(built) ? built : undefined);
}

async function build(): Promise<string> {
  const go = tool("go") ?? ["/usr/local/go/bin/go", "/usr/lib/go/bin/go"].find(existsSync);
  if (go === undefined) {
    throw new Error("There is no collector here and no Go to build one: install otelcol or go");
  }
  const cwd = join(root, "tests/e2e/collector");
  const child = new Deno.Command(go, { args: ["build", "-o", built, "."], cwd }).spawn();
  if ((await child.status).success) return built;
  throw new Error(
    "The collector could not be built: its modules have to be in Go's cache or proxy",
  );
}

if (import.meta.main) {
  const path = collector() ?? await build();
  const config = join(root, "dashboards/otel-collector.yaml");
  const words = Deno.args.length > 0 ? Deno.args : ["--config", config];
  const child = new Deno.Command(path, { args: words }).spawn();
  // The terminal gives ^C to the collector too; TERM has to be passed on.
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  Deno.exit((await child.status).code);
}
