/** Runs promtool in dashboards/, where the rules and their tests lie. */
import { equal } from "node:assert/strict";
import { tool } from "../support/needs.ts";

export const dashboards = new URL("../../dashboards/", import.meta.url);

/** Its whole output; any exit code but 0 fails the test with it. */
export function promtool(...args: string[]): string {
  const path = tool("promtool");
  if (path === undefined) throw new Error("Cannot run promtool: it is not installed");
  const { code, stdout, stderr } = new Deno.Command(path, { args, cwd: dashboards }).outputSync();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  equal(code, 0, output);
  return output;
}

/**
 * Fails unless every query parses: promtool has no command for one query, so they are put into a
 * file of rules.
 */
export function parses(queries: string[]): void {
  const rules = queries.map((expr, index) => ({ record: `query:${index}`, expr }));
  const file = Deno.makeTempFileSync({ suffix: ".yml" });
  try {
    // JSON is YAML.
    Deno.writeTextFileSync(file, JSON.stringify({ groups: [{ name: "queries", rules }] }));
    promtool("check", "rules", "--lint=none", file);
  } finally {
    Deno.removeSync(file);
  }
}
