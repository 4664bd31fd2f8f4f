/** The README's three boxes, run out of its own text: only where the machine's places would be written, paths are exchanged. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { installProgram } from "./support/install.ts";
import { freePort, Home, root } from "./support/program.ts";
import { testWith } from "./support/needs.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");

/** The commands of the box below a heading. */
function box(heading: string): string[] {
  const section = readme.split(`### ${heading}\n`)[1]?.split("\n### ")[0] ?? "";
  const commands = /```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  return commands.trim().split("\n");
}

/** A folder with `dist/stella`, the sample and stand-ins for what needs root. */
function workplace(home: Home): void {
  Deno.mkdirSync(join(home.path, "bin"));
  installProgram(home, "dist/stella");
  script(home, "bin/sudo", 'exec "$@"');
  script(
    home,
    "bin/systemctl",
    `
case "$*" in
  daemon-reload) exit 0 ;;
  "enable --now stella")
    exec_start=$(sed -n 's/^ExecStart=//p' "$UNITS/stella.service")
    STATE_DIRECTORY=$HOME/state $exec_start >"$HOME/service.log" 2>&1 &
    echo $! >"$HOME/service.pid"
    for i in $(seq 600); do grep -q service.started "$HOME/service.log" && exit 0; sleep 0.1; done
    cat "$HOME/service.log"; exit 1 ;;
esac
exit 2`,
  );
}

function script(home: Home, name: string, body: string): void {
  Deno.writeTextFileSync(join(home.path, name), `#!/bin/sh\n${body}\n`);
  Deno.chmodSync(join(home.path, name), 0o755);
}

async function runBox(
  home: Home,
  commands: string[],
  env: Record<string, string> = {},
): Promise<void> {
  const child = new Deno.Command("sh", {
    args: ["-ec", commands.join("\n")],
    cwd: home.path,
    env: home.environment({ PATH: `${home.path}/bin:/usr/local/bin:/usr/bin:/bin`, ...env }),
    clearEnv: true,
  });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stdout) + text.decode(stderr));
}

function boxTest(heading: string, body: (home: Home, commands: string[]) => Promise<void>): void {
  testWith(["sh", "install"], `README, ${heading}`, async () => {
    const home = new Home();
    try {
      workplace(home);
      const commands = box(heading);
      assert.ok(commands.length >= 2 && commands.length <= 6, "a box has at most six commands");
      await body(home, commands);
    } finally {
      home.remove();
    }
  });
}

boxTest("Copy one binary", async (home, commands) => {
  copyTree(join(root, "tests/fixtures/sample"), join(home.path, "tests/fixtures/sample"));
  await runBox(home, commands);
});

boxTest("As a systemd service", async (home, commands) => {
  const units = join(home.path, "units");
  Deno.mkdirSync(join(home.path, "local"));
  Deno.mkdirSync(units);
  const there = commands.map((command) =>
    command.replaceAll("/usr/local/bin", join(home.path, "local"))
      .replaceAll("/etc/systemd/system", units)
  );
  // The unit names the binary where the README puts it; the service listens on a port of the test's own.
  const port = freePort();
  const unitPath = `sed -i 's,/usr/local/bin,${home.path}/local,' ${units}/stella.service`;
  const env = {
    UNITS: units,
    STELLA_LISTEN: `127.0.0.1:${port}`,
    STELLA_URL: `http://127.0.0.1:${port}`,
  };
  try {
    await runBox(home, [...there.slice(0, 2), unitPath, ...there.slice(2)], env);
  } finally {
    await endService(home);
  }
});

boxTest("From a stick", async (home, commands) => {
  const stick = join(home.path, "stick");
  await home.succeed([
    "export",
    "bundle",
    "--profile",
    "kit",
    "--manifest",
    "stick/bundle/manifest.json",
  ]);
  Deno.copyFileSync(join(home.state, "keys/signing.pub"), join(home.path, "signer.pub"));
  Deno.copyFileSync(join(home.path, "dist/stella"), join(stick, "bundle/stella"));
  const far = new Home();
  Deno.copyFileSync(join(home.path, "signer.pub"), join(far.path, "signer.pub"));
  const digest = await new Deno.Command("sha256sum", { args: [join(stick, "bundle/stella")] })
    .output();
  const env = { STELLA_SHA256: new TextDecoder().decode(digest.stdout).slice(0, 64) };
  const there = commands.map((command) => command.replaceAll("/media/stick", stick));
  await runBox(far, there, env);
  // A stick whose binary is another one is caught before it runs.
  Deno.writeTextFileSync(join(stick, "bundle/stella"), "#!/bin/sh\necho verified\n");
  await assert.rejects(runBox(far, there, env), /FAILED/);
  far.remove();
});

async function endService(home: Home): Promise<void> {
  try {
    const pid = Number(Deno.readTextFileSync(join(home.path, "service.pid")));
    Deno.kill(pid, "SIGTERM");
    for (let i = 0; i < 1_200 && running(pid); i++) await new Promise((r) => setTimeout(r, 50));
  } catch { /* it never started, or has ended */ }
}

function running(pid: number): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch {
    return false;
  }
}

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    if (entry.isDirectory) copyTree(join(from, entry.name), join(to, entry.name));
    else Deno.copyFileSync(join(from, entry.name), join(to, entry.name));
  }
}
