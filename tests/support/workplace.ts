/**
 * A scratch directory in which the commands of the README and the manual run as they are printed.
 * Paths of the system lead into it, `stella` is the program under test, and what needs root is
 * played by small scripts.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { installProgram } from "./install.ts";
import { binary, freePort, Home, root } from "./program.ts";

/** Directories of the system that commands of the pages name. */
const places = /(?<![\w./~-])\/(?=(?:media|srv|etc\/(?:stella|systemd)|usr\/local|var\/lib)\b)/g;

export class Workplace {
  readonly home = new Home();
  readonly port = freePort();
  /** Added to the environment of each command. */
  readonly env: Record<string, string> = {};
  /** Texts of the commands that are exchanged, such as the address of a registry. */
  readonly exchanged: [string, string][] = [];
  /** `HOST:PORT` of a registry that was started for the page. */
  registry = "";
  /** All that the commands have printed. */
  output = "";

  constructor() {
    for (const directory of ["bin", "dist", "media/stick", "srv", "etc/stella", "usr/local/bin"]) {
      Deno.mkdirSync(join(this.path, directory), { recursive: true });
    }
    this.copy("tests/fixtures/sample", "tests/fixtures/sample");
    this.copy("tests/fixtures/sample", "srv/osv");
    this.#program();
    this.script("bin/sudo", 'exec "$@"');
    this.script("bin/systemctl", systemctl);
    for (const name of ["mount", "umount", "sync", "journalctl", "systemd-escape"]) {
      this.script(`bin/${name}`, "exit 0");
    }
    const url = `127.0.0.1:${this.port}`;
    this.exchanged.push(["127.0.0.1:8420", url]);
    this.env["STELLA_URL"] = `http://${url}`;
    this.env["STELLA_LISTEN"] = url;
  }

  get path(): string {
    return this.home.path;
  }

  /**
   * From source there is no binary to include: `dist/stella` is a script that starts the source.
   */
  #program(): void {
    installProgram(this.home, "dist/stella");
    if (binary === undefined) {
      this.exchanged.push(["--include-self", "--include-binary dist/stella"]);
    }
    Deno.symlinkSync("../dist/stella", join(this.path, "bin/stella"));
  }

  /** A file or a directory of the repository. */
  copy(from: string, to: string): void {
    copyTree(join(root, from), join(this.path, to));
  }

  write(path: string, text: string): void {
    Deno.writeTextFileSync(join(this.path, path), text);
  }

  script(path: string, body: string): void {
    this.write(path, `#!/bin/sh\n${body}\n`);
    Deno.chmodSync(join(this.path, path), 0o755);
  }

  /** The commands with the paths and addresses of this place. */
  mapped(commands: string): string {
    const moved = commands.replace(places, `${this.path}/`);
    return this.exchanged.reduce((text, [from, to]) => text.replaceAll(from, to), moved);
  }

  /** Runs commands as one script that ends at the first failure. */
  async run(commands: string): Promise<void> {
    const mapped = this.mapped(commands);
    const child = new Deno.Command("sh", {
      args: ["-ec", mapped],
      cwd: this.path,
      env: this.home.environment({
        PATH: `${this.path}/bin:/usr/local/bin:/usr/bin:/bin`,
        WORKPLACE: this.path,
        ...this.env,
      }),
      clearEnv: true,
      stdin: "null",
    });
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    const reported = text.decode(stdout) + text.decode(stderr);
    this.output += reported;
    assert.equal(code, 0, `${mapped}\nended with ${code}:\n${reported}`);
  }

  /** Whether a line that a page shows was printed; digests, times, keys and paths may differ. */
  printed(line: string): boolean {
    const own = (text: string) =>
      text.replaceAll(`${this.path}/`, "/").replaceAll(this.path, "").replace(
        /[0-9a-f]{64}|\d{4}-\d\d-\d\dT[\d:.]+Z|[A-Za-z0-9+/]{43}=|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-\w{12}/g,
        "~",
      ).replace(/\s+/g, " ").trim();
    return this.output.split("\n").map(own).includes(own(line));
  }

  async remove(): Promise<void> {
    await this.endService();
    this.home.remove();
  }

  /** Ends the service that `systemctl` has started, and waits until it is gone. */
  async endService(): Promise<void> {
    let pid: number;
    try {
      pid = Number(Deno.readTextFileSync(join(this.path, "service.pid")));
      Deno.kill(pid, "SIGTERM");
    } catch {
      return; // None was started, or it has ended by itself.
    }
    // It is the child of a shell that has ended, so this process is not notified of its end.
    for (let i = 0; i < 1_200 && isRunning(pid); i++) await new Promise((r) => setTimeout(r, 50));
  }
}

/** Runs `body` in a scratch directory that is removed after it. */
export async function withWorkplace(body: (workplace: Workplace) => Promise<void>): Promise<void> {
  const workplace = new Workplace();
  try {
    await body(workplace);
  } finally {
    await workplace.remove();
  }
}

/** Starts what the unit names, with the state directory and the configuration of the place. */
const systemctl = `
units="$WORKPLACE/etc/systemd/system"
case "$*" in
  daemon-reload) exit 0 ;;
  "enable --now stella" | "restart stella" | "start stella")
    if [ -s "$WORKPLACE/service.pid" ]; then
      pid=$(cat "$WORKPLACE/service.pid")
      kill "$pid"
      while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
    program=$(sed -n 's,^ExecStart=,,p' "$units/stella.service" | sed "s,/usr/local,$WORKPLACE/usr/local,")
    config="$WORKPLACE/etc/stella/stella.yaml"
    [ ! -f "$config" ] || export STELLA_CONFIG="$config"
    unset STELLA_DATA STELLA_URL
    mkdir -p -m 700 "$WORKPLACE/var/lib/stella"
    : >"$WORKPLACE/service.log"
    STATE_DIRECTORY="$WORKPLACE/var/lib/stella" $program >>"$WORKPLACE/service.log" 2>&1 </dev/null &
    pid=$!
    echo $pid >"$WORKPLACE/service.pid"
    until grep -q service.started "$WORKPLACE/service.log"; do
      kill -0 $pid 2>/dev/null || { cat "$WORKPLACE/service.log"; exit 1; }
      sleep 0.1
    done
    exit 0 ;;
  "reload stella") kill -HUP "$(cat "$WORKPLACE/service.pid")" ;;
  "start stella-verify@"*) exit 0 ;;
  *) echo "systemctl $*: not known here" >&2; exit 2 ;;
esac`;

function isRunning(pid: number): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch {
    return false;
  }
}

function copyTree(from: string, to: string): void {
  if (!Deno.statSync(from).isDirectory) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    copyTree(join(from, entry.name), join(to, entry.name));
  }
}
