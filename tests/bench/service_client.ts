/**
 * What the service's benches share: a service with tiny profiles, many clients, and figures of what
 * they saw.
 */
import { join } from "node:path";
import { Home, type Service } from "../support/program.ts";

export const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

/**
 * A home with the profile `tiny` and the tenants `a` and `b`; `more` is YAML at the level of
 * profiles.
 */
export function tinyHome(more = "", service = ""): Home {
  const home = new Home();
  Deno.mkdirSync(join(home.path, "in"));
  Deno.mkdirSync(home.state, { recursive: true });
  Deno.writeTextFileSync(join(home.path, "in", "a.txt"), "tiny\n");
  const source = `kind: files, sources: [{ files: "${home.path}/in" }]`;
  Deno.writeTextFileSync(
    join(home.state, "stella.yaml"),
    `version: 1\ntenants: [a, b]\n${service}profiles:\n  tiny: { ${source}, retention: { keep: 20 } }\n${more}`,
  );
  return home;
}

export interface Answer {
  status: number;
  milliseconds: number;
  /** Of the header Retry-After. */
  retryAfter: string | null;
  // deno-lint-ignore no-explicit-any -- any route
  body: any;
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const started = performance.now();
  const answer = await fetch(url, { signal: AbortSignal.timeout(30_000), ...init });
  const text = await answer.text();
  const milliseconds = performance.now() - started;
  return {
    status: answer.status,
    milliseconds,
    retryAfter: answer.headers.get("retry-after"),
    body: text.startsWith("{") ? JSON.parse(text) : text,
  };
}

export function submit(
  { url }: { url: string },
  tenant = "a",
  key?: string,
  profile = "tiny",
): Promise<Answer> {
  return ask(`${url}/v1/exports`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    body: JSON.stringify({ profile, tenant }),
  });
}

/** `clients` loops of `work` at once, until each says that it is done. */
export async function together(clients: number, work: (client: number) => Promise<boolean>) {
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    while (await work(client));
  }));
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export const times = (values: readonly number[]) =>
  `p50 ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms, worst ${
    quantile(values, 1).toFixed(1)
  } ms of ${values.length}`;

export async function metric(service: { url: string }, series: string): Promise<number> {
  const { body } = await ask(`${service.url}/metrics`);
  const line = String(body).split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

/** MiB. */
export async function resident(service: { url: string }): Promise<number> {
  return await metric(service, "process_resident_memory_bytes") / 2 ** 20;
}

/** How often exports of the log started and ended, by their ids. */
export function endings(
  service: Service,
): { started: Map<string, number>; ended: Map<string, number> } {
  const [started, ended] = [new Map<string, number>(), new Map<string, number>()];
  for (const line of service.log.split("\n")) {
    const event = /"event":"export\.(started|ended)".*"exportId":"([^"]+)"/.exec(line);
    if (event === null) continue;
    const counts = event[1] === "started" ? started : ended;
    counts.set(event[2]!, (counts.get(event[2]!) ?? 0) + 1);
  }
  return { started, ended };
}

/** Asks `path` every few milliseconds until `stop` says so; the times of all answers. */
export async function probe(service: { url: string }, path: string, stop: { now: boolean }) {
  const seen: number[] = [];
  while (!stop.now) {
    const { milliseconds, status } = await ask(service.url + path);
    if (status !== 200) throw new Error(`${path} answers ${status}`);
    seen.push(milliseconds);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return seen;
}

export const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

export async function withService(
  body: (service: Service, home: Home) => Promise<void>,
  home = tinyHome(),
) {
  const service = await home.serve();
  try {
    await body(service, home);
  } finally {
    await service.stop();
    home.remove();
  }
}

export async function drained(service: Service, watch = () => {}): Promise<void> {
  const waiting = async () =>
    await metric(service, "export_queue_depth") + await metric(service, "export_jobs_running");
  for (let left = await waiting(); left > 0; left = await waiting()) {
    watch();
    await pause(200);
  }
}
