/** The portable form, built from the fixture and run in unusual and hostile environments. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { Buffer } from "node:buffer";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { checkSelf } from "../../src/assets/self.ts";
import { buildPortable, glibcMinorOf } from "../../src/build/portable.ts";
import { buildScript } from "../../src/build/script.ts";
import { environmentNames, grants } from "../../src/config/permissions.ts";
import { requiring, type TestBody, tool } from "../support/needs.ts";
import { fixturePlace, type Place } from "./place.ts";

const supported = Deno.build.target === "x86_64-unknown-linux-gnu";

/**
 * Builds a program that starts another one without permission to create machine code, and runs Deno
 * under it. Returns how Deno ended.
 */
function guardedBy(guard: string): { status: number | null; stderr: string } {
  const source = new URL("fixture/mdwe.c", import.meta.url).pathname;
  const compiled = spawnSync(tool("cc") ?? "", ["-o", guard, source]);
  assert.equal(compiled.status, 0, compiled.stderr.toString());
  const { status, stderr } = spawnSync(guard, [Deno.execPath(), "eval", "0"]);
  return { status, stderr: stderr.toString() };
}

/** A test with the tools that it needs, skipped where the portable form does not run. */
function portableTest(tools: string[], name: string, body: TestBody): void {
  Deno.test(requiring({ tools, others: { "Linux on x86-64": supported } }, name, body));
}

async function build(place: Place): Promise<string> {
  return await buildPortable(
    await buildScript(place.root, `${place.root}/dist`),
    `${place.root}/dist`,
  );
}

/**
 * The output of the program in an environment of exactly these variables; spawnSync would add its
 * own.
 */
function printed(
  path: string,
  args: string[],
  { variables = {}, cwd }: { variables?: Record<string, string>; cwd?: string } = {},
): unknown {
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const whole = ["-i", ...pairs, path, ...args];
  const { status, stdout, stderr } = spawnSync("/usr/bin/env", whole, cwd ? { cwd } : {});
  assert.equal(status, 0, stderr.toString());
  return JSON.parse(stdout.toString());
}

portableTest(["cc"], "the portable form", async (t) => {
  await using place = await fixturePlace();
  const path = await build(place);

  await t.step("starts with an empty environment, in a directory it cannot write", () => {
    mkdirSync(`${place.root}/locked`, { mode: 0o555 });
    assert.equal(printed(path, ["version"], { cwd: `${place.root}/locked` }), "stella 0.1.0");
  });

  await t.step("passes arguments on unchanged and has the listed permissions", () => {
    const args = ["facts", "-A", "--allow-run", "--help", "--", "ünï"];
    const facts = printed(path, args) as { states: Record<string, string> };
    const states = Object.fromEntries(
      ["read", "write", "net"].map((
        name,
      ) => [name, grants.some((g) => g.name === name && !g.values) ? "granted" : ""]),
    );
    const none = { run: "prompt", ffi: "prompt", sys: "prompt", import: "prompt", env: "denied" };
    assert.deepEqual(facts, { execPath: path, args, states: { ...states, ...none } });
  });

  await t.step("replaces the environment and passes on only known variables", () => {
    const names = [...environmentNames, "PATH", "HTTP_PROXY", "NODE_OPTIONS", "SSLKEYLOGFILE"];
    const log = `${place.root}/keys.log`;
    const variables = {
      ...Object.fromEntries(environmentNames.map((name) => [name, `own ${name}`])),
      PATH: "/bin",
      HTTP_PROXY: "http://proxy.invalid",
      NODE_OPTIONS: "--require=/nowhere.js",
      SSLKEYLOGFILE: log,
      OTEL_DENO: "true",
      DENO_V8_FLAGS: "--no-such-flag",
      DENO_PERMISSION_BROKER_PATH: "/nowhere.sock",
      LD_PRELOAD: "/nowhere.so",
      NODE_CHANNEL_FD: "3",
    };
    const passed = environmentNames.filter((name) => !/^(HOME|STELLA_(HOME|SELF))$/.test(name));
    assert.deepEqual(printed(path, ["environment", ...names], { variables }), {
      ...Object.fromEntries(passed.map((name) => [name, `own ${name}`])),
      HOME: "/proc/none",
      STELLA_HOME: "own HOME",
      STELLA_SELF: path,
      HTTP_PROXY: "http://proxy.invalid",
    });
    assert.throws(() => readFileSync(log), /ENOENT/);
  });

  await t.step("ignores a faulty .npmrc and a missing home directory", () => {
    writeFileSync(`${place.root}/.npmrc`, "registry=${NOWHERE}\n");
    for (const HOME of [place.root, "/dev/null", "relative"]) {
      assert.equal(printed(path, ["version"], { variables: { HOME } }), "stella 0.1.0");
    }
    const unset = printed(path, ["environment", "HOME", "STELLA_HOME"]);
    assert.deepEqual(unset, { HOME: "/proc/none", STELLA_HOME: "" });
  });

  await t.step("starts workers without permissions from its own script", () => {
    assert.deepEqual(printed(path, ["worker"]), { double: 42, refused: "NotCapable" });
  });

  await t.step("passes the exit code on and runs with closed standard streams", () => {
    assert.equal(spawnSync(path, ["7"]).status, 7);
    const closed = spawnSync("/bin/sh", ["-c", `exec "$0" 7 <&- >&- 2>&-`, path]);
    assert.equal(closed.status, 7);
  });

  const guard = guardedBy(`${place.root}/guard`);
  const isKnown = !guard.stderr.includes("EINVAL");
  await t.step({
    name: `runs where writable memory may not become executable${
      isKnown ? "" : " (needs Linux 6.3)"
    }`,
    ignore: !isKnown,
    fn: () => {
      assert.notEqual(guard.status, 0, "the guard guards nothing: Deno itself ran");
      const answer = printed(`${place.root}/guard`, [path, "worker"]);
      assert.deepEqual(answer, { double: 42, refused: "NotCapable" });
    },
  });

  await t.step("contains its digest, which reveals a changed byte", async () => {
    const good = await checkSelf(path);
    assert.deepEqual([good.ok, good.expected], [true, good.found]);
    const bytes = readFileSync(path);
    const scriptAt = bytes.lastIndexOf("globalThis.STELLA_BUILD");
    bytes[scriptAt] = 0x47;
    writeFileSync(`${place.root}/changed`, bytes);
    const changed = await checkSelf(`${place.root}/changed`);
    assert.deepEqual([changed.ok, changed.expected], [false, good.expected]);
  });

  await t.step("reports a truncated file", () => {
    const cut = `${place.root}/changed`;
    chmodSync(cut, 0o755);
    truncateSync(cut, 50_000_000);
    const { status, stderr } = spawnSync(cut, ["version"]);
    assert.equal(status, 1);
    assert.match(stderr.toString(), /^stella: Cannot start: the file is cut or was changed/);
  });

  await t.step("reports what is wrong with the system's loader", () => {
    // Its path has to fit in place of the system loader's path, so TMPDIR may be too long.
    using short = {
      path: mkdtempSync("/tmp/l"),
      [Symbol.dispose]: () => rmSync(short.path, { recursive: true }),
    };
    const [loader, other] = [`${short.path}/l`, `${place.root}/changed`];
    const bytes = readFileSync(path);
    const name = Buffer.from("/lib64/ld-linux-x86-64.so.2\0");
    Buffer.from(loader.padEnd(name.length, "\0")).copy(bytes, bytes.indexOf(name));
    writeFileSync(other, bytes, { mode: 0o755 });
    const complaint = () => spawnSync(other, ["version"]).stderr.toString();
    assert.equal(
      complaint(),
      `stella: Cannot start: ${loader} is not there: stella needs glibc 2.27 or newer\n`,
    );
    const targets = {
      "ld-2.19.so": /needs glibc 2.27 or newer, found ld-2.19.so\n/,
      "/lib/ld-musl.so": /is musl's/,
    };
    for (const [target, expected] of Object.entries(targets)) {
      symlinkSync(target, loader);
      assert.match(complaint(), expected);
      rmSync(loader);
    }
  });

  await t.step("is byte-identical when it is built again", async () => {
    const first = readFileSync(path);
    assert.ok(first.equals(readFileSync(await build(place))), "the files differ");
  });
});

portableTest(["cc"], "what does not start as stella is not built", async () => {
  await using place = await fixturePlace();
  writeFileSync(`${place.root}/late.ts`, "export const version = 1;\nthrow new Error('no start');");
  await assert.rejects(build(place), /Cannot start what was built: .*no start/s);
  assert.deepEqual(readdirSync(`${place.root}/dist`), ["stella.js"]);
});

portableTest(
  ["cc", "strace"],
  "the portable form connects to nothing and writes nothing",
  async () => {
    await using place = await fixturePlace();
    const path = await build(place);
    const trace = `${place.root}/trace`;
    const calls = "trace=connect,bind,open,openat,creat,mkdir,mkdirat,rename,unlink";
    printed(tool("strace") ?? "", ["-f", "-o", trace, "-e", calls, path, "worker"]);
    const done = readFileSync(trace, "utf8").split("\n").filter((line) =>
      !/ = -1 | resumed>/.test(line)
    );
    assert.ok(done.some((line) => line.includes("openat")), "nothing was traced");
    const writing = done.filter((line) =>
      /connect|bind|O_WRONLY|O_RDWR|O_CREAT|creat|mkdir|rename/.test(line)
    );
    // strace prints an interrupted call without its result. Calls below /proc/self/exe, a file,
    // fail anyway.
    assert.deepEqual(writing.filter((line) => !line.includes('"/proc/self/exe/none')), []);
  },
);

Deno.test("the minimum glibc version is read from Deno's string table", () => {
  const table = new TextEncoder().encode("\0GLIBC_2.2.5\0GLIBC_2.27\0GLIBC_2.18\0GLIBC_PRIVATE\0");
  assert.equal(glibcMinorOf(table), 27);
});
