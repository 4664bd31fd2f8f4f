/**
 * The program as a user runs it: from its source with the permissions of the binary, or the binary
 * that STELLA_BINARY names. Each call gets an environment of its own, so that no key, configuration
 * or trust of this machine plays a part.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { engineFlags, permissionFlags, unstableFlags } from "../../src/config/permissions.ts";
import { ChildLog } from "./child_log.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const binary = Deno.env.get("STELLA_BINARY");

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  /** Added to HOME and STELLA_DATA, which are always the test's own. */
  env?: Record<string, string>;
  stdin?: Uint8Array;
}

/** The words of the command line that starts the program. */
export function programWords(): [string, ...string[]] {
  return binary === undefined ? sourceWords() : [binary];
}

/**
 * The same from its source, whatever is tested: for what the launcher of the binary does not let
 * through.
 */
export function sourceWords(): [string, ...string[]] {
  const flags = [...permissionFlags(), ...unstableFlags, engineFlags, "--frozen"];
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    `--config=${join(root, "deno.json")}`,
    ...flags,
    join(root, "main.ts"),
  ];
}

/** A home directory with the state, keys and trust of one test. */
export class Home {
  readonly path = Deno.makeTempDirSync({ prefix: "stella-home-" });
  readonly state = join(this.path, "state");

  environment(more: Record<string, string> = {}): Record<string, string> {
    // DENO_DIR is what `deno run` itself needs to find the packages; the program cannot see it.
    const denoDir = Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "/", ".cache/deno");
    return {
      HOME: this.path,
      STELLA_DATA: this.state,
      DENO_DIR: denoDir,
      PATH: "/usr/bin:/bin",
      OTEL_DENO: "false",
      ...more,
    };
  }

  async stella(args: string[], options: RunOptions = {}): Promise<Ran> {
    const [command, ...words] = programWords();
    const child = new Deno.Command(command, {
      args: [...words, ...args],
      cwd: options.cwd ?? this.path,
      env: this.environment(options.env),
      clearEnv: true,
      stdin: options.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (options.stdin !== undefined) void feed(child.stdin, options.stdin);
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  /** As `stella`, but anything but success is an error with all that was printed. */
  async succeed(args: string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await this.stella(args, options);
    if (ran.code === 0) return ran;
    throw new Error(`stella ${args.join(" ")} ended with ${ran.code}\n${ran.stdout}${ran.stderr}`);
  }

  // deno-lint-ignore no-explicit-any -- the result of any command
  async json(args: string[], options: RunOptions = {}): Promise<any> {
    const ran = await this.stella([...args, "--json"], options);
    return { ...JSON.parse(ran.stdout), exit: ran.code };
  }

  /** Starts `stella serve` on a free port of loopback and waits until it answers. */
  async serve(args: string[] = [], env: Record<string, string> = {}): Promise<Service> {
    return await this.start(["serve", "--listen", "127.0.0.1:0", ...args], env).answers();
  }

  /** Starts a command that runs until it is stopped. */
  start(
    args: string[],
    env: Record<string, string> = {},
    [command, ...words] = programWords(),
  ): Service {
    const child = new Deno.Command(command, {
      args: [...words, ...args],
      cwd: this.path,
      env: this.environment(env),
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    return new Service(child);
  }

  remove(): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A program that has read enough closes its end; that is no fault of the test. */
async function feed(stdin: WritableStream<Uint8Array>, bytes: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch { /* see above */ }
}

/** Runs `body` with a home of its own, which is removed afterwards. */
export async function withHome(body: (home: Home) => Promise<void>): Promise<void> {
  const home = new Home();
  try {
    await body(home);
  } finally {
    home.remove();
  }
}

/** Starts `stella spans` on a free port, which keeps what comes in the file `out`. */
export async function startSpans(home: Home, out: string): Promise<Service> {
  const service = home.start(["spans", "--listen", "127.0.0.1:0", "--out", out]);
  return await service.answers(/listening on (\S+)\/v1\/traces/);
}

/** The line with which `stella serve` says that it answers, and where. */
const serves = /"event":"service\.started".*?"url":"([^"]+)"/;

export class Service {
  url = "";
  readonly #log: ChildLog;

  constructor(readonly child: Deno.ChildProcess) {
    this.#log = new ChildLog(child.stderr);
  }

  get log(): string {
    return this.#log.text;
  }

  /** Waits for a line of its log. @throws Error where it ends before */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#log.until(pattern);
  }

  /** Waits until it answers; `pattern` is how it says so, with the address as its group. */
  async answers(pattern = serves): Promise<this> {
    try {
      const [, url = ""] = await this.logged(pattern);
      this.url = url;
      return this;
    } catch (error) {
      await this.stop("SIGKILL");
      throw error;
    }
  }

  // deno-lint-ignore no-explicit-any -- any route
  async get(path: string): Promise<any> {
    const answer = await fetch(this.url + path);
    const type = answer.headers.get("content-type") ?? "";
    return type.includes("json") ? await answer.json() : await answer.text();
  }

  /** Asks for an export. @returns the path that it can be looked at with */
  async submit(body: unknown, headers: Record<string, string> = {}): Promise<string> {
    const answer = await fetch(`${this.url}/v1/exports`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (answer.status !== 202) throw new Error(`POST /v1/exports: ${answer.status} ${text}`);
    return answer.headers.get("location")!;
  }

  /** Submits an export and waits for its end. */
  // deno-lint-ignore no-explicit-any -- the job as the API shows it
  async export(body: unknown, headers: Record<string, string> = {}): Promise<any> {
    return await this.ended(await this.submit(body, headers), headers);
  }

  /** Follows the export at a path of the API to its end. */
  // deno-lint-ignore no-explicit-any -- the job as the API shows it
  async ended(path: string, { authorization }: Record<string, string> = {}): Promise<any> {
    const headers = authorization === undefined ? {} : { authorization };
    const events = await fetch(this.url + path.replace(/\?|$/, "/events$&"), { headers });
    const reported = await events.text();
    const job = await (await fetch(this.url + path, { headers })).json();
    if (events.ok && !["queued", "running"].includes(job.state)) return job;
    throw new Error(`The export at ${path} has not ended: ${JSON.stringify(job)}\n${reported}`);
  }

  /** Ends it by its process id. @returns its exit code */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.child.kill(signal);
    } catch { /* it has ended already */ }
    const { code } = await this.child.status;
    await this.#log.ended;
    return code;
  }
}

export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
