/**
 * `deno run -A tests/bench/mutate.ts [--minutes 10] [--jobs 2] [--file PART]`: do the tests notice
 * when a check is gone? Each `if` of the verifier and the reader is made never to hold, each
 * comparison and each `&&` or `||` is turned round, one at a time, in a copy of the tree; the tests
 * of that file have to fail. Where the time does not reach for all, what is tried is spread over
 * all files. By hand, not in continuous integration. A survivor is a missing test, or a check that
 * another one backs up.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../support/program.ts";

export interface Mutant {
  file: string;
  line: number;
  /** What is there, and what is put in its place. */
  from: string;
  to: string;
  text: string;
}

const turned: [RegExp, string][] = [
  [/ === /g, " !== "],
  [/ !== /g, " === "],
  [/ < /g, " >= "],
  [/ > /g, " <= "],
  [/ <= /g, " > "],
  [/ >= /g, " < "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
];

/** All mutants of one source text. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const found: Mutant[] = [];
  const add = (at: number, length: number, to: string) => {
    const line = source.slice(0, at).split("\n").length;
    const from = source.slice(at, at + length);
    found.push({
      file,
      line,
      from,
      to,
      text: source.slice(0, at) + to + source.slice(at + length),
    });
  };
  const code = blanked(source);
  for (const { index, 0: head } of code.matchAll(/\bif \(/g)) {
    const open = index + head.length - 1;
    const end = closing(code, open);
    add(open, end - open + 1, `(false && ${source.slice(open, end + 1)})`);
  }
  for (const [pattern, to] of turned) {
    for (const { index, 0: from } of code.matchAll(pattern)) add(index, from.length, to);
  }
  return found.sort((a, b) => a.line - b.line);
}

/** The same length, with comments, texts and patterns made blank. */
function blanked(source: string): string {
  const quiet =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<=[(=,] ?)\/(?:[^/\\\n[]|\\.|\[[^\]]*\])+\//g;
  return source.replace(quiet, (text) => text.replace(/[^\n]/g, "_"));
}

function closing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === "(") depth++;
    if (code[at] === ")" && --depth === 0) return at;
  }
  throw new Error(`no end of the condition at ${open}`);
}

const quickest = ["tampering", "hostile_archive", "hostile_signer", "damage", "policy", "on_disk"]
  .map((name) => `tests/verify/${name}_test.ts`);

/** Which tests have to notice, the quickest first. */
function testsOf(file: string): string[] {
  const name = file.replace(/^.*\//, "").replace(/\.ts$/, "");
  if (file.startsWith("src/bundle/")) {
    return [`tests/bundle/${name}_test.ts`, ...quickest.slice(0, 4)];
  }
  if (name === "digest_batches") {
    return ["tests/verify/digest_batches_test.ts", "tests/bundle/chunk_workers_test.ts"];
  }
  if (name === "probe") return ["tests/verify/probe_test.ts"];
  const others = readdirSync(join(root, "tests/verify"))
    .filter((one) => one.endsWith("_test.ts")).map((one) => `tests/verify/${one}`);
  const seals = "tests/attest/hmac_test.ts";
  const workers = name === "directory" ? ["tests/bundle/chunk_workers_test.ts"] : [];
  return [...new Set([`tests/verify/${name}_test.ts`, ...quickest, seals, ...others, ...workers])];
}

function targets(): string[] {
  const verify = readdirSync(join(root, "src/verify")).filter((name) => name.endsWith(".ts"));
  const reader = ["read_manifest", "strict_json", "json_shape", "zstd_chunk", "index_file"];
  return [
    ...verify.map((name) => `src/verify/${name}`),
    ...reader.map((name) => `src/bundle/${name}.ts`),
  ];
}

/** A copy of the tree in which one mutant at a time is tried. */
class Bench {
  readonly place = mkdtempSync(join(tmpdir(), "stella-mutate-"));

  constructor() {
    for (const name of ["src", "tests", "dashboards", "deno.json", "deno.lock", "main.ts"]) {
      cpSync(join(root, name), join(this.place, name), { recursive: true });
    }
  }

  /** Whether the tests fail, or do not end in time. */
  async kills({ file, text }: Mutant): Promise<boolean> {
    const path = join(this.place, file);
    const sound = readFileSync(path, "utf8");
    writeFileSync(path, text);
    try {
      for (const test of testsOf(file)) if (!await this.passes(test)) return true;
      return false;
    } finally {
      writeFileSync(path, sound);
    }
  }

  async passes(test: string): Promise<boolean> {
    try {
      Deno.statSync(join(this.place, test));
    } catch {
      return true;
    }
    const child = new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "--fail-fast", "--quiet", test],
      cwd: this.place,
      env: { OTEL_DENO: "false" },
      stdout: "null",
      stderr: "null",
    }).spawn();
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const { success } = await child.status;
    clearTimeout(late);
    return success;
  }

  close(): void {
    rmSync(this.place, { recursive: true });
  }
}

/** In an order that reaches every file early: the golden ratio's steps. */
function spread<T>(all: T[]): T[] {
  const step = (i: number) => (i * 0.6180339887498949) % 1;
  return all.map((one, i) => ({ one, at: step(i) })).sort((a, b) => a.at - b.at).map(({ one }) =>
    one
  );
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

async function run(): Promise<void> {
  const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  const part = option("--file") ?? "";
  const all = targets().filter((file) => file.includes(part))
    .flatMap((file) => mutantsOf(file, readFileSync(join(root, file), "utf8")));
  const queue = spread(all);
  const end = Date.now() + Number(option("--minutes") ?? 10) * 60_000;
  const survivors: Mutant[] = [];
  let tried = 0;
  const lane = async () => {
    const bench = new Bench();
    try {
      while (queue.length > 0 && Date.now() < end) {
        const mutant = queue.shift()!;
        const killed = await bench.kills(mutant);
        tried++;
        if (killed) continue;
        survivors.push(mutant);
        say(
          `survives: ${mutant.file}:${mutant.line}  ${mutant.from.trim()}  ->  ${mutant.to.trim()}`,
        );
      }
    } finally {
      bench.close();
    }
  };
  await Promise.all(Array.from({ length: Number(option("--jobs") ?? 2) }, lane));
  const share = (100 * (tried - survivors.length) / tried).toFixed(1);
  say(
    `${
      tried - survivors.length
    } of ${tried} tried mutants were noticed (${share} %), of ${all.length}`,
  );
}

if (import.meta.main) await run();
