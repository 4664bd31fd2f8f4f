/** The app with a real queue, and with health and metrics that a test sets. */
import { join } from "node:path";
import { type Config, loadConfig } from "../../src/config/load.ts";
import type { Profile } from "../../src/config/profile.ts";
import { Feed } from "../../src/jobs/feed.ts";
import type { Job } from "../../src/jobs/job.ts";
import { SqliteQueue } from "../../src/jobs/sqlite/queue.ts";
import { SqliteTimeline } from "../../src/jobs/sqlite/timeline.ts";
import { uuidV7 } from "../../src/domain/uuid.ts";
import type { ServerDeps } from "../../src/http/deps.ts";
import type { CheckState } from "../../src/http/readiness.ts";
import { createServer } from "../../src/http/server.ts";
import { Audit } from "../../src/telemetry/audit.ts";
import type { LogFields } from "../../src/telemetry/log.ts";
import { FileStore } from "../../src/store/files/store.ts";

const profile = (name: string, more: Partial<Profile> = {}): Profile => ({
  name,
  kind: "files",
  sources: [{ path: "/srv/secret-path" }],
  compression: "zstd",
  targets: [],
  ...more,
});

const nothing = { environment: () => undefined, systemFile: "/nonexistent/stella.yaml" };

export const config: Config = {
  ...(await loadConfig(nothing)).config,
  registries: new Map([["site", { name: "site", url: "https://registry.site:5000" }]]),
  tenants: ["default", "lab"],
  profiles: new Map([
    ["kit", profile("kit", { kind: "kit", sources: [] })],
    [
      "advisories",
      profile("advisories", { slaSeconds: 900, targets: [{ directory: "/srv/secret-path" }] }),
    ],
  ]),
};

export class Bench {
  readonly directory = Deno.makeTempDirSync({ prefix: "stella-server-" });
  readonly queued: Job[] = [];
  readonly cancelled: Job[] = [];
  /** `METHOD route status` of each request. */
  readonly answered: string[] = [];
  readonly feed: Feed;
  readonly store: FileStore;
  readonly faults: unknown[] = [];
  publicKey: string | undefined = "-----BEGIN PUBLIC KEY-----\n";
  alive: { status: "pass" | "fail"; output?: string } = { status: "pass" };
  checks: CheckState[] = [];
  draining = false;
  /** The client address of the requests. */
  peer = "127.0.0.1";
  readonly queue: SqliteQueue;
  readonly timeline: SqliteTimeline;
  refused = 0;
  now = 1_767_225_600_000;
  /** Audit lines. */
  readonly audited: ({ severity: string; event: string } & LogFields)[] = [];
  /** The reasons of refused requests. */
  readonly refusals: string[] = [];
  readonly deps: ServerDeps;
  readonly app;

  constructor(more: Partial<ServerDeps> = {}) {
    let count = 0;
    this.queue = new SqliteQueue(join(this.directory, "stella.db"), {
      now: () => this.now,
      newId: () =>
        uuidV7(1_767_225_600_000, new Uint8Array(new Uint32Array(3).fill(++count).buffer)),
    });
    this.timeline = new SqliteTimeline(this.queue.database, {
      now: () => 1_767_225_600_000,
      random: (bytes) => bytes.fill(7),
      keep: 86_400_000,
    });
    const refused = () => this.refused;
    this.feed = more.feed ?? new Feed((more.config ?? config).tenants.length);
    this.store = new FileStore(this.directory);
    this.deps = {
      build: { version: "0.1.0", commit: "f".repeat(40), buildDate: "unknown", form: "source" },
      config,
      queue: this.queue,
      timeline: this.timeline,
      egress: {
        get count() {
          return refused();
        },
      },
      origin: {
        state: "/srv/secret-path/state",
        configuration: { path: "/srv/secret-path/stella.yaml", sha256: "c".repeat(64) },
      },
      audit: new Audit({
        // Without undefined fields, as the log writes it.
        log: (severity, event, _, fields) =>
          this.audited.push(JSON.parse(JSON.stringify({ severity, event, ...fields }))),
        timeline: this.timeline,
        elapsed: () => this.now,
        onFault: (error) => this.faults.push(error),
      }),
      onRefused: (reason) => this.refusals.push(reason),
      publicKey: () => this.publicKey,
      liveness: { report: () => this.alive },
      readiness: { report: (exclude = []) => this.#report(exclude) },
      scrape: (openMetrics) =>
        Promise.resolve({
          body: openMetrics ? "# EOF\n" : "metric 1\n",
          contentType: "text/plain; x=y",
        }),
      store: this.store,
      feed: this.feed,
      elapsed: () => performance.now(),
      onAnswered: (method, route, status) => this.answered.push(`${method} ${route} ${status}`),
      onCancelled: (job) => this.cancelled.push(job),
      isDraining: () => this.draining,
      onQueued: (job) => this.queued.push(job),
      onFault: (error) => this.faults.push(error),
      ...more,
    };
    this.app = createServer(this.deps, { hosts: [], addresses: false });
  }

  #report(exclude: readonly string[]) {
    const checks = this.checks.filter((check) => !exclude.includes(check.name));
    const failed = checks.some((check) => check.status === "fail");
    return { status: failed ? "fail" as const : "pass" as const, checks };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const socket = { remoteAddress: this.peer };
    const environment = { incoming: { rawHeaders: [], socket } };
    const url = `http://127.0.0.1:8420${path}`;
    return Promise.resolve(this.app.request(url, { headers }, environment));
  }

  post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return Promise.resolve(this.app.request("http://127.0.0.1:8420/v1/exports", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    }));
  }

  [Symbol.dispose](): void {
    this.queue.close();
    Deno.removeSync(this.directory, { recursive: true });
  }
}
