/** How long liveness takes while two exports run, seen from another process. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { freePort } from "../support/program.ts";
import { type Measurement, say } from "./measure.ts";

const probes = 500;

export interface Liveness {
  /** Milliseconds. */
  p50: number;
  p99: number;
}

export async function liveness({ home, binary }: Measurement, input: string): Promise<Liveness> {
  const config = join(home.path, "stella.yaml");
  const profile = (name: string) =>
    `  ${name}: { kind: files, sources: [{ files: "${input}" }] }\n`;
  Deno.writeTextFileSync(config, `version: 1\nprofiles:\n${profile("one")}${profile("two")}`);
  const host = `127.0.0.1:${freePort()}`;
  const words = ["serve", "--listen", host, "--config", config];
  const service = spawn(binary, words, { env: home.environment(), stdio: "ignore" });
  const get = async (path: string) => await (await fetch(`http://${host}${path}`)).text();
  try {
    while (await get("/health/liveness").catch(() => undefined) === undefined) await pause(50);
    for (const name of ["one", "two"]) {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ profile: name });
      await (await fetch(`http://${host}/v1/exports`, { method: "POST", headers, body })).text();
    }
    const times: number[] = [];
    for (let i = 0; i < probes; i++) {
      const started = performance.now();
      await get("/health/liveness");
      times.push(performance.now() - started);
      await pause(5);
    }
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.floor(share * probes)] ?? NaN;
    const found = { p50: at(0.5), p99: at(0.99) };
    say(
      `\nLiveness under two exports: p50 ${found.p50.toFixed(1)} ms, p99 ${found.p99.toFixed(1)}`,
    );
    return found;
  } finally {
    service.kill("SIGKILL");
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
