/**
 * The attacker of exchange.c: built once, started against one directory of a source, stopped.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tool } from "./needs.ts";

/** Builds the program in a directory of its own and removes both in the end. */
export async function withExchanger(work: (program: string) => Promise<void>): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), "stella-exchange-"));
  try {
    const program = join(place, "exchange");
    const source = fileURLToPath(new URL("exchange.c", import.meta.url));
    const { status, stderr } = spawnSync(tool("cc")!, ["-O1", "-o", program, source]);
    if (status !== 0) throw new Error(`Cannot build exchange.c: ${stderr}`);
    await work(program);
  } finally {
    rmSync(place, { recursive: true });
  }
}

export class Exchanger {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(program: string, args: readonly string[]) {
    this.#child = new Deno.Command(program, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** It works when this resolves. */
  static async start(program: string, args: readonly string[]): Promise<Exchanger> {
    const started = new Exchanger(program, args);
    const { value = "" } = await started.#output.read();
    if (value.startsWith("ready")) return started;
    throw new Error(`The exchanger did not start: ${args.join(" ")}`);
  }

  /** How many times it exchanged the two, there and back. */
  async end(): Promise<number> {
    await this.#child.stdin.close();
    let text = "";
    for (let part = await this.#output.read(); !part.done; part = await this.#output.read()) {
      text += part.value;
    }
    await this.#child.status;
    return Number(text.trim());
  }
}
