/**
 * The program on a pseudo-terminal (script of util-linux): what a person sees, standard output and
 * standard error as they come.
 */
import { type Home, programWords } from "./program.ts";

export interface Shown {
  code: number;
  /** Everything that reached the terminal; its line ends are "\n". */
  text: string;
}

/** The arguments of `script` that run a command line of the shell. */
export function scriptArguments(line: string): string[] {
  return ["--quiet", "--return", "--flush", "--command", line, "/dev/null"];
}

/** One word of the shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Runs `stella ARGS` on a terminal of its own. `columns` is the terminal's width. */
export async function onTerminal(home: Home, args: string[], columns = 80): Promise<Shown> {
  const line = [...programWords(), ...args].map(quoted).join(" ");
  const child = new Deno.Command("script", {
    args: scriptArguments(`stty cols ${columns} rows 24; exec ${line}`),
    cwd: home.path,
    env: home.environment({ TERM: "xterm", SHELL: "/bin/sh" }),
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
  const { code, stdout } = await child.output();
  return { code, text: new TextDecoder().decode(stdout).replaceAll("\r\n", "\n") };
}
