/** service_program.ts as a process, in a home of its own. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { permissionFlags } from "../../src/config/permissions.ts";
import type { Parts } from "./service_program.ts";
import { untilFile } from "./changes.ts";
import { ChildLog } from "./child_log.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = fileURLToPath(new URL("./service_program.ts", import.meta.url));

const profiles = ["quick", "busy", "gated", "fail", "loud", "crash", "push", "hang"]
  .map((name) => `  ${name}: { kind: files, sources: [{ files: /srv }] }\n`);
export const configuration = `version: 1\nservice: { concurrency: 1 }\nprofiles:\n${
  profiles.join("")
}`;

/** Milliseconds that an answer may take: it is there in a few, and one that hangs never comes. */
const patience = 60_000;

// deno-lint-ignore no-explicit-any -- the job as the API shows it
export type Shown = any;

export class Home {
  readonly path = Deno.makeTempDirSync({ prefix: "stella-service-" });
  readonly state = join(this.path, "state");
  readonly #log = join(this.state, "runs.log");

  constructor() {
    this.configure(configuration);
  }

  configure(text: string): void {
    Deno.writeTextFileSync(join(this.path, "stella.yaml"), text);
  }

  spawn(env: Record<string, string> = {}, ...listen: string[]): Deno.ChildProcess {
    const denoDir = Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "/", ".cache/deno");
    const flags = [...permissionFlags(), "--no-check", "--quiet", `--config=${root}deno.json`];
    return new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, program, ...listen],
      env: {
        DENO_DIR: denoDir,
        HOME: this.path,
        STELLA_DATA: this.state,
        STELLA_CONFIG: join(this.path, "stella.yaml"),
        ...env,
      },
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  }

  /** A service with a changed clock, lease or drain. */
  async startWith(parts: Parts): Promise<Service> {
    return await this.start("127.0.0.1:0", "", JSON.stringify(parts));
  }

  async start(...listen: string[]): Promise<Service> {
    const service = new Service(this.spawn({}, ...listen));
    await service.ready();
    return service;
  }

  /** How often exports of each kind started and ended. */
  runs(): string[] {
    const text = Deno.readTextFileSync(this.#log);
    return text.trim().split("\n").map((line) => line.split(" ").slice(0, 2).join(" "));
  }

  /** Until an export of this profile has noted that it started. */
  async untilStarted(profile: string): Promise<void> {
    await untilFile(this.#log, (text) => new RegExp(`^start ${profile} .*\n`, "m").test(text));
  }

  /** Lets exports of the profiles `gated` and `busy` end. */
  openGate(): void {
    writeFileSync(join(this.state, "go"), "");
  }

  closeGate(): void {
    rmSync(join(this.state, "go"), { force: true });
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** The line that says that the service answers; the port is of its choice. */
const started = /"event":"service\.started".*?"url":"([^"]+)"/;

export class Service {
  url = "";
  readonly child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #log: ChildLog;
  #going = Promise.resolve();
  #go = () => {};

  constructor(child: Deno.ChildProcess) {
    this.child = child;
    this.#reader = child.stderr.getReader();
    this.#log = new ChildLog(ReadableStream.from(this.#pieces()));
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await this.#going;
      const { value, done } = await this.#reader.read();
      if (done) return;
      yield value;
    }
  }

  get log(): string {
    return this.#log.text;
  }

  /** Reads no more of the log until `resume` or `stop`. */
  pause(): void {
    this.#going = new Promise((resolve) => this.#go = resolve);
  }

  resume(): void {
    this.#go();
  }

  /** Closes the reading end of the log's pipe. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }

  async ready(): Promise<void> {
    const [, url = ""] = await this.logged(started);
    this.url = url;
  }

  /** Waits for a line of its log. @throws Error where it ends before */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#log.until(pattern);
  }

  // deno-lint-ignore no-explicit-any -- the log's lines, each one JSON
  lines(): any[] {
    return this.log.trim().split("\n").map((line) => JSON.parse(line));
  }

  async get(path: string): Promise<{ status: number; body: Shown }> {
    const answer = await fetch(this.url + path, { signal: AbortSignal.timeout(patience) });
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith("{") ? JSON.parse(text) : text };
  }

  async post(body: unknown): Promise<{ status: number; body: Shown }> {
    const answer = await fetch(`${this.url}/v1/exports`, {
      method: "POST",
      signal: AbortSignal.timeout(patience),
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  }

  async enqueue(profile: string): Promise<string> {
    const { status, body } = await this.post({ profile });
    assert.equal(status, 202, JSON.stringify(body));
    return body.id;
  }

  /** Until the export is in one of these states. */
  async until(id: string, ...states: string[]): Promise<Shown> {
    const signal = AbortSignal.timeout(patience);
    const events = await fetch(`${this.url}/v1/exports/${id}/events`, { signal });
    const reader = events.body!.getReader();
    try {
      for (;;) {
        const { body } = await this.get(`/v1/exports/${id}`);
        if (states.includes(body.state)) return body;
        // Each event may be the change.
        if ((await reader.read()).done) break;
      }
    } finally {
      await reader.cancel();
    }
    throw new Error(`The export ${id} did not become ${states}`);
  }

  /** Ends it by its process id. @returns its exit code */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.child.kill(signal);
    } catch { /* it has ended already */ }
    this.#go();
    const { code } = await this.child.status;
    await this.#log.ended;
    return code;
  }
}
