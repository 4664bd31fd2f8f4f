/**
 * On a terminal every command shows only its own output: none of the runtime's or the launcher's.
 */
import assert from "node:assert/strict";
import { permissionLines } from "../support/permission_lines.ts";
import { requiring } from "../support/needs.ts";
import { freePort, Home, programWords } from "../support/program.ts";
import { linesOf } from "../support/log_schema.ts";
import { onTerminal, quoted, scriptArguments } from "../support/terminal.ts";

/** These run until they are stopped. */
const endless = ["serve", "spans"];

/** The progress line is rewritten in place and taken away at the end. */
function withoutProgress(text: string): string {
  return text.replace(/[^\n]*\r/g, "");
}

/** Calls `run` for each of `all`, two at a time. */
async function each<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all];
  const turn = async () => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) await run(one);
  };
  await Promise.all([turn(), turn()]);
}

Deno.test(requiring(
  ["script"],
  "on a terminal each command with --json prints one object and nothing else",
  async () => {
    const lines = permissionLines.filter(([command]) => !endless.includes(command));
    await each(lines, async ([command, rest]) => {
      const home = new Home();
      try {
        // Nothing listens on port 1: the commands that connect to a service end at once.
        const url = /^(health|jobs|status|timeline)/.test(command)
          ? ["--url=http://127.0.0.1:1"]
          : [];
        const args = [...command.split(" "), ...rest, ...url, "--json"];
        const { code, text } = await onTerminal(home, args);
        // A note is the program's own, and goes to standard error.
        const [line, ...more] = text.replace(/^note: {2}.*\n/, "").split("\n");
        assert.deepEqual(more, [""], `${args.join(" ")}: ${text}`);
        const answer = JSON.parse(line!);
        assert.deepEqual([answer.command, answer.code], [command, code], args.join(" "));
      } finally {
        home.remove();
      }
    });
  },
));

Deno.test(
  requiring(["script"], "each command prints the same on a terminal as elsewhere", async () => {
    const home = new Home();
    try {
      await each(permissionLines, async ([command, rest]) => {
        for (const option of ["--permissions", "--help"]) {
          const args = [...command.split(" "), ...rest, option];
          const elsewhere = await home.succeed(args);
          assert.equal(elsewhere.stderr, "", args.join(" "));
          assert.deepEqual(await onTerminal(home, args), { code: 0, text: elsewhere.stdout });
        }
      });
    } finally {
      home.remove();
    }
  }),
);

Deno.test(requiring(
  ["script"],
  "on a terminal export and verify show only their results",
  async () => {
    const home = new Home();
    try {
      const exported = await onTerminal(home, ["export", "bundle", "--profile", "kit"]);
      assert.equal(exported.code, 0, exported.text);
      assert.match(
        withoutProgress(exported.text),
        /^exported {2}kit of [^]*check it: stella verify out\n$/,
      );
      const verified = await onTerminal(home, ["verify", "out"]);
      const shown = withoutProgress(verified.text);
      const green = "\x1b[32mverified\x1b[0m";
      assert.ok(shown.startsWith(green), "a terminal shows colors");
      assert.match(shown.slice(green.length), /^ {2}kit of [^]*signed by [^\n]*\n$/);
      const plain = await onTerminal(home, ["verify", "out", "--color", "never"]);
      assert.match(withoutProgress(plain.text), /^verified {2}kit of /);
    } finally {
      home.remove();
    }
  },
));

Deno.test(requiring(
  ["script"],
  "on a terminal a service shows only its log and ends at Ctrl-C",
  async () => {
    const home = new Home();
    const port = freePort();
    const words = [...programWords(), "serve", "--listen", `127.0.0.1:${port}`];
    const child = new Deno.Command("script", {
      args: scriptArguments(`exec ${words.map(quoted).join(" ")}`),
      cwd: home.path,
      env: home.environment({ TERM: "xterm", SHELL: "/bin/sh" }),
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      const keyboard = child.stdin.getWriter();
      let text = "";
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
        const wasReady = text.includes('"service.started"');
        text += piece;
        if (!wasReady && text.includes('"service.started"')) {
          await keyboard.write(new TextEncoder().encode("\x03"));
        }
      }
      assert.equal((await child.status).code, 0, text);
      const shown = text.replaceAll("\r\n", "\n").replaceAll("^C", "");
      assert.ok(linesOf(shown).length >= 2, text);
      await keyboard.close();
    } finally {
      home.remove();
    }
  },
));
