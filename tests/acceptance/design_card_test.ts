/** The design card: one binary, its packages, its layout, and how it is used. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { binary, Home, root } from "../support/program.ts";
import { installProgram } from "../support/install.ts";
import { asked, askedOfService, askedWith, exportKit } from "./asked.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test(asked(1, "the tool is a single self-contained file", async (home) => {
  const installed = installProgram(home, "alone/stella");
  const { code, stdout } = await new Deno.Command(installed, {
    args: ["version", "--json"],
    cwd: join(home.path, "alone"),
    env: home.environment(),
    clearEnv: true,
  }).output();
  assert.equal(code, 0);
  const { version, form } = JSON.parse(text(stdout));
  assert.match(version, /^\d+\.\d+\.\d+$/);
  const forms = binary === undefined ? ["source"] : ["compiled", "portable"];
  assert.ok(forms.includes(form), form);
}));

Deno.test(
  asked(2, "it is built with hono, @std/crypto, @std/tar, prom-client and zod", async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "main.ts"],
      cwd: root,
    }).output();
    const modules: { dependencies?: { specifier: string }[] }[] = JSON.parse(text(stdout)).modules;
    const used = new Set(
      modules.flatMap(({ dependencies = [] }) => dependencies.map(({ specifier }) => specifier)),
    );
    const { imports } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
    const sources = {
      "hono": "npm:hono@",
      "@std/crypto": "jsr:@std/crypto@",
      "@std/tar": "jsr:@std/tar@",
      "prom-client": "npm:prom-client@",
      "zod": "npm:zod@",
    };
    for (const [name, source] of Object.entries(sources)) {
      assert.ok(used.has(name), `no module of the program imports ${name}`);
      assert.ok(imports[name].startsWith(source), `${name} is ${imports[name]}`);
    }
  }),
);

Deno.test(asked(
  3,
  "the top level holds deno.json, main.ts, src, tests, dashboards and README.md",
  async (home) => {
    const named = ["README.md", "dashboards", "deno.json", "main.ts", "src", "tests"];
    const made = ["dist", "node_modules", "out"];
    const found = readdirSync(root).filter((name) => !name.startsWith(".") && !made.includes(name));
    assert.deepEqual(found.sort(), [...named, "LICENSE", "deno.lock"].sort());
    // The program runs without any other file, tests included.
    for (const name of found.filter((name) => name !== "tests")) {
      cpSync(join(root, name), join(home.path, "copy", name), { recursive: true });
    }
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "stella", "version"],
      cwd: join(home.path, "copy"),
      env: home.environment(),
      clearEnv: true,
    }).output();
    assert.equal(code, 0, text(stderr));
    assert.match(text(stdout), /^stella \d/);
  },
));

Deno.test(
  askedOfService(4, "the binary serves health, status and metrics", async (service, home) => {
    const { version } = await home.json(["version"]);
    assert.equal((await service.get("/health/liveness")).status, "pass");
    assert.equal((await service.get("/status")).version, version);
    assert.match(await service.get("/metrics"), /^export_queue_depth 0$/m);
  }),
);

Deno.test(asked(5, "it has export and verify subcommands", async (home) => {
  await home.succeed(exportKit);
  await home.succeed(["verify", "out"]);
  const help = await home.succeed(["--help"]);
  assert.match(help.stdout, /^ {2}export\b/m);
  assert.match(help.stdout, /^ {2}verify\b/m);
}));

if (binary === undefined) {
  Deno.test(asked(
    6,
    "--include-self is refused from source, with a hint to build the binary",
    async (home) => {
      const ran = await home.json([...exportKit, "--include-self"]);
      assert.equal(ran.exit, 2);
      assert.match(ran.error.hint, /build:portable/);
    },
  ));
} else {
  Deno.test(
    asked(
      6,
      "the binary ships in an offline bundle and verifies that bundle",
      async (home) => {
        await home.succeed([...exportKit, "--include-self"]);
        const carried = new Deno.Command(join(home.path, "out/stella"), {
          args: ["verify", "out"],
          cwd: home.path,
          env: home.environment(),
          clearEnv: true,
        });
        assert.equal((await carried.output()).code, 0);
      },
    ),
  );
}

Deno.test(
  asked(7, "copying the binary into a directory of PATH installs it", async (home) => {
    const { path } = home;
    installProgram(home, ".local/bin/stella");
    const run = async (command: string) => {
      const { code, stdout, stderr } = await new Deno.Command("sh", {
        args: ["-ec", command],
        cwd: path,
        env: home.environment({ PATH: `${path}/.local/bin:/usr/bin:/bin` }),
        clearEnv: true,
      }).output();
      assert.equal(code, 0, text(stderr));
      return text(stdout);
    };
    await run(`stella ${exportKit.join(" ")}`);
    assert.match(await run("stella verify out"), /^verified /);
  }),
);

Deno.test(asked(8, "it writes the units of a systemd service", async (home) => {
  await home.succeed(["assets", "write", "--only", "systemd", "units"]);
  assert.deepEqual(readdirSync(join(home.path, "units")).sort(), [
    "stella-verify@.service",
    "stella.service",
  ]);
}));

Deno.test(askedWith(
  ["systemd-analyze"],
  8,
  "systemd-analyze rates the exposure of the units below its thresholds",
  async (home) => {
    await home.succeed(["assets", "write", "--only", "systemd", "units"]);
    for (const [unit, limit] of [["stella.service", 10], ["stella-verify@.service", 3]]) {
      const path = join(home.path, "units", `${unit}`);
      const { code, stdout } = await new Deno.Command("systemd-analyze", {
        args: ["security", "--offline=true", `--threshold=${limit}`, path],
      }).output();
      assert.equal(code, 0, text(stdout).split("\n").slice(-2).join(" "));
    }
  },
));

Deno.test(asked(
  9,
  "a bundle on a read-only stick is verified with the public key",
  async (home) => {
    await home.succeed(exportKit);
    const stick = join(home.path, "stick");
    Deno.mkdirSync(stick);
    Deno.renameSync(join(home.path, "out"), join(stick, "bundle"));
    Deno.copyFileSync(join(home.state, "keys/signing.pub"), join(home.path, "signer.pub"));
    for (const path of ["stick/bundle", "stick"]) Deno.chmodSync(join(home.path, path), 0o555);
    const elsewhere = new Home();
    const known = await elsewhere.json(["verify", stick, "--trust", join(home.path, "signer.pub")]);
    const unknown = await elsewhere.json(["verify", stick]);
    elsewhere.remove();
    for (const path of ["stick", "stick/bundle"]) Deno.chmodSync(join(home.path, path), 0o755);
    assert.deepEqual([known.exit, known.verdict], [0, "verified"]);
    assert.deepEqual([unknown.exit, unknown.findings[0].reason], [5, "key_unknown"]);
  },
));
