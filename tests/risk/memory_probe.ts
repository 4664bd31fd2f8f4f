/**
 * Builds the risk data of one provider and says how it went and how much memory that took; a test
 * runs it as a process of its own: `deno run -A memory_probe.ts KIND PATH fail|skip`. Prints
 * `{error, records, mebibytes}`.
 */
import { noPrivateFiles } from "../support/bundle_fixture.ts";
import { join } from "node:path";
import { buildRisk } from "../../src/risk/builder.ts";
import type { ProviderKind } from "../../src/risk/provider.ts";

const [kind, path, onInvalid] = Deno.args as [ProviderKind, string, "fail" | "skip"];
const root = Deno.makeTempDirSync({ prefix: "stella-risk-memory-" });
const place = (name: string) => {
  Deno.mkdirSync(join(root, name));
  return join(root, name);
};
const printed: { error: string[]; records?: number } = { error: [] };
try {
  const report = await buildRisk({
    privateFiles: noPrivateFiles,
    providers: [{ kind, name: kind, path, onInvalid }],
    directory: place("out"),
    scratch: place("scratch"),
    newest: 1_767_225_600,
    yieldToEventLoop: () => Promise.resolve(),
    elapsed: () => performance.now(),
  });
  printed.records = report.providers[0]!.records;
} catch (error) {
  const { message, findings = [] } = error as { message: string; findings?: { found: string }[] };
  printed.error = [message, ...findings.map(({ found }) => found)];
} finally {
  Deno.removeSync(root, { recursive: true });
}
const peak = /VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
const text = JSON.stringify({ ...printed, mebibytes: Math.round(Number(peak) / 1024) });
await Deno.stdout.write(new TextEncoder().encode(text));
