/** `stella config schema` and `stella config show`: what stella.yaml may say, and what holds with the one of this site. */
import { escaped, isName } from "../domain/names.ts";
import { pathFault } from "../domain/paths.ts";
import { loadConfig } from "../config/load.ts";
import { plainOf, schemaOf, yamlOf } from "../config/show.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";

export function schemaCommand(): Promise<Result> {
  const schema = schemaOf({ isName, pathFault });
  return Promise.resolve({
    code: 0,
    json: { ok: true, code: 0, schema, findings: [] },
    text: JSON.stringify(schema, null, 2) + "\n",
  });
}

/** The configuration with all defaults. @throws StellaError usage with every fault */
export async function showCommand(options: CommonOptions, host: Host): Promise<Result> {
  const where = { flag: options.config, environment: host.environment };
  const { config, path } = await loadConfig(where, { isName, pathFault });
  const plain = plainOf(config);
  const from = path === undefined ? "no configuration file: the defaults hold" : `from ${path}`;
  return {
    code: 0,
    json: { ok: true, code: 0, path: path ?? null, config: plain, findings: [] },
    text: `# ${escaped(from)}\n${yamlOf(plain)}`,
  };
}
