/**
 * A site around the service: Debian's registry and Prometheus, each on loopback and ended by its
 * own id.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tool } from "./needs.ts";
import { freePort, type Home, type Service } from "./program.ts";

const decoder = new TextDecoder();

export interface Started {
  url: string;
  stop(): Promise<void>;
}

/** Starts a tool in `dir` and waits until `url` answers. */
async function start(name: string, args: string[], dir: string, url: string): Promise<Started> {
  const child = new Deno.Command(tool(name) ?? name, {
    args,
    cwd: dir,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let printed = "";
  const drained = (async () => {
    for await (const bytes of child.stderr) {
      printed = (printed + decoder.decode(bytes)).slice(-8_000);
    }
  })();
  const stop = async () => {
    try {
      child.kill("SIGKILL");
    } catch { /* it has ended already */ }
    await child.status;
    await drained;
  };
  try {
    await until(`${name} answers`, async () => (await ok(url)) || undefined, 60);
  } catch (error) {
    await stop();
    throw new Error(`${name} did not start:\n${printed}`, { cause: error });
  }
  return { url, stop };
}

async function ok(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}

/**
 * Polls a third-party program, which sends no notification, four times a second until there is a
 * value.
 * @throws after so many seconds
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  seconds: number,
): Promise<T> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(0.25);
  }
  throw new Error(`Not within ${seconds} s: ${what}`);
}

export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Debian's docker-registry, which keeps what it is given below `dir`. */
export async function startRegistry(dir: string): Promise<Started & { port: number }> {
  const port = freePort();
  const config = join(dir, "registry.yml");
  const data = JSON.stringify(join(dir, "registry"));
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n` +
      `storage: {filesystem: {rootdirectory: ${data}}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const url = `http://127.0.0.1:${port}`;
  return { ...await start("docker-registry", ["serve", config], dir, `${url}/v2/`), url, port };
}

export interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

export interface ActiveAlert {
  state: "pending" | "firing";
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/**
 * Debian's Prometheus with the given rules, scraping twice a second under the job name
 * export-center.
 */
export class Prometheus {
  private constructor(readonly dir: string, readonly url: string, readonly started: Started) {}

  static async start(dir: string, rules: string, targets: string[]): Promise<Prometheus> {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "rules.yml"), rules);
    configure(dir, "export-center", targets);
    const address = `127.0.0.1:${freePort()}`;
    const args = [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=data",
      `--web.listen-address=${address}`,
      "--web.enable-lifecycle",
      // A sixtieth of the usual, as with the rules: how long a target that is gone is still
      // believed.
      "--query.lookback-delta=5s",
      "--log.level=error",
    ];
    const url = `http://${address}`;
    return new Prometheus(dir, url, await start("prometheus", args, dir, `${url}/-/ready`));
  }

  /** Scrapes other targets, or under another name. */
  async reload(job: string, targets: string[]): Promise<void> {
    configure(this.dir, job, targets);
    const answer = await fetch(`${this.url}/-/reload`, { method: "POST" });
    if (!answer.ok) throw new Error(`Prometheus does not reload: ${await answer.text()}`);
    await answer.body?.cancel();
  }

  async query(expr: string): Promise<Series[]> {
    const data = await this.#get(`query?query=${encodeURIComponent(expr)}`);
    return (data as { result: Series[] }).result;
  }

  async alerts(): Promise<ActiveAlert[]> {
    return (await this.#get("alerts") as { alerts: ActiveAlert[] }).alerts;
  }

  /** What the rules say of themselves, by name. */
  async rules(): Promise<{ name: string; health: string; lastError?: string }[]> {
    const { groups } = await this.#get("rules") as {
      groups: { rules: { name: string; health: string }[] }[];
    };
    return groups.flatMap((group) => group.rules);
  }

  stop(): Promise<void> {
    return this.started.stop();
  }

  async #get(path: string): Promise<unknown> {
    const answer = await fetch(`${this.url}/api/v1/${path}`);
    const { status, data, error } = await answer.json();
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  }
}

function configure(dir: string, job: string, targets: string[]): void {
  const scrape = { job_name: job, static_configs: [{ targets }] };
  const global = {
    scrape_interval: "500ms",
    scrape_timeout: "500ms",
    evaluation_interval: "500ms",
  };
  const config = { global, rule_files: ["rules.yml"], scrape_configs: [scrape] };
  // JSON is YAML.
  writeFileSync(join(dir, "prometheus.yml"), JSON.stringify(config));
}

/** How a service is started, where it is not as usual. */
export interface Start {
  words?: [string, ...string[]];
  env?: Record<string, string>;
}

/** `stella serve` on a port of its own, which it can be started on again. */
export async function serveOn(home: Home, port: number, start: Start = {}): Promise<Service> {
  const args = ["serve", "--listen", `127.0.0.1:${port}`];
  return await home.start(args, start.env, start.words).answers();
}

/** Writes stella.yaml; the rest of it as in the manual. */
export function configureStella(home: Home, config: Record<string, unknown>): void {
  mkdirSync(home.state, { recursive: true, mode: 0o700 });
  writeFileSync(join(home.state, "stella.yaml"), JSON.stringify({ version: 1, ...config }));
}

/** A file of so many bytes that takes no room: work for seconds. */
export function sparse(path: string, size: number): string {
  writeFileSync(path, "");
  Deno.truncateSync(path, size);
  return path;
}
