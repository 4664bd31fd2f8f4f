/** Debian's docker-registry (distribution 2.8), started for one test. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemTiming } from "../timing.ts";
import { tool } from "../needs.ts";

export interface DockerRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** A directory of the test's own. */
  dir: string;
}

/**
 * Runs `body` with a registry whose configuration has `http` (below `http:`) and `more` (at the
 * top), each a YAML flow mapping.
 */
export async function withDockerRegistry(
  body: (registry: DockerRegistry) => Promise<void>,
  { http = "", more = "" } = {},
): Promise<void> {
  await withServed(body, (registry) => {
    const config = configOf(registry, http, more);
    writeFileSync(join(registry.dir, "config.yml"), config);
    return [tool("docker-registry")!, "serve", join(registry.dir, "config.yml")];
  });
}

function configOf({ host, dir }: DockerRegistry, http: string, more: string): string {
  return `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${JSON.stringify(join(dir, "data"))}}}
http: {addr: "${host}", secret: test${http}}
${more}
`;
}

/** Runs `body` with a registry whose program is started by the words that `command` gives. */
export async function withServed(
  body: (registry: DockerRegistry) => Promise<void>,
  command: (registry: DockerRegistry) => string[],
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "stella-docker-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  const [program, ...words] = command({ host, dir });
  const child = spawn(program!, words, { stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  try {
    await answers(host);
    await body({ host, dir });
  } finally {
    child.kill("SIGKILL");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Readiness is tested by connecting, without TLS or a request. */
async function answers(host: string): Promise<void> {
  const [hostname, port] = host.split(":");
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    try {
      (await Deno.connect({ hostname: hostname!, port: Number(port) })).close();
      return;
    } catch {
      await systemTiming.sleep(50);
    }
  }
  throw new Error("the registry did not start within a minute");
}
