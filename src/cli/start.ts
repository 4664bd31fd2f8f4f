/**
 * The first thing that is asked of the program. `stella version` is answered here, because the parser of command lines costs
 * twice the time of the rest (README, One binary); everything else is the command line's (program.ts).
 */
import type { Host } from "./host.ts";
import { checkedOutput } from "./output.ts";
import { perform } from "./perform.ts";

/** Does what `args` say. @returns the exit code */
export async function start(args: readonly string[], lent: Host): Promise<number> {
  const host = { ...lent, stdout: checkedOutput(lent.stdout) };
  const [command, ...options] = args;
  if (command === "version" && options.every((option) => option === "--json")) {
    return await perform("version", { json: options.length > 0 }, host, [], versionWork);
  }
  const { run } = await import("./program.ts");
  return await run([...args], host);
}

const versionWork = async () => (await import("./version.ts")).versionCommand;
