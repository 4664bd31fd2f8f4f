/**
 * The program as a user runs it: from its source with the permissions of the binary, or the binary that STELLA_BINARY names.
 * Each call gets an environment of its own, so that no key, configuration or trust of this machine plays a part.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { engineFlags, permissionFlags, unstableFlags } from "../../src/config/permissions.ts";

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

/** The same from its source, whatever is tested: for what the launcher of the binary does not let through. */
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

/** A home of its own: state, keys and trust of one test. */
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

  /** As `stella`, but anything but success is an error with all that was said. */
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
    const port = freePort();
    const [command, ...words] = programWords();
    const child = new Deno.Command(command, {
      args: [...words, "serve", "--listen", `127.0.0.1:${port}`, ...args],
      cwd: this.path,
      env: this.environment(env),
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const service = new Service(child, `http://127.0.0.1:${port}`);
    await service.answers();
    return service;
  }

  remove(): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A program that has heard enough closes its end; that is no fault of the test. */
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

export class Service {
  log = "";
  readonly #logged: Promise<void>;

  constructor(readonly child: Deno.ChildProcess, readonly url: string) {
    this.#logged = this.#readLog();
  }

  async #readLog(): Promise<void> {
    for await (const text of this.child.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
    }
  }

  async answers(): Promise<void> {
    let hasEnded = false;
    void this.child.status.then(() => hasEnded = true);
    for (let i = 0; i < 1_200 && !hasEnded; i++) {
      try {
        const answer = await fetch(`${this.url}/health/liveness`);
        await answer.body?.cancel();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    await this.stop("SIGKILL");
    throw new Error(`The service does not answer:\n${this.log}`);
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
    const path = await this.submit(body, headers);
    for (let i = 0; i < 1_200; i++) {
      const job = await this.get(path);
      if (!["queued", "running"].includes(job.state)) return job;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("The export did not end in a minute");
  }

  /** Ends it by its process id. @returns its exit code */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.child.kill(signal);
    } catch { /* it has ended already */ }
    const { code } = await this.child.status;
    await this.#logged;
    return code;
  }
}

export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
