/** There is one list of permissions; these tests compare every copy with it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { compileFlags } from "../../src/build/compile.ts";
import {
  actsAtStart,
  launcherArguments,
  launcherConfig,
  passedNames,
  setVariables,
} from "../../src/build/launcher_config.ts";
import {
  engineFlags,
  grants,
  hostileNames,
  permissionFlags,
  unstableFlags,
} from "../../src/config/permissions.ts";

const config = JSON.parse(readFileSync(new URL("../../deno.json", import.meta.url), "utf8")) as {
  tasks: Record<string, string>;
  permissions: unknown;
  unstable: string[];
};

Deno.test("the task that runs stella from source has exactly the listed permissions", () => {
  // The packages are fetched first, in the environment of the machine; then variables that bypass
  // permissions are unset.
  const unset = hostileNames.filter((name) => actsAtStart(name) && name !== "OTEL_DENO").join(" ");
  const run =
    `OTEL_DENO=false DENO_NO_UPDATE_CHECK=1 deno run -q ${engineFlags} -P=stella --no-prompt --no-remote main.ts`;
  assert.equal(config.tasks["stella"], `deno cache -q main.ts && unset ${unset} && ${run}`);
  const listed = Object.fromEntries(grants.map(({ name, values }) => [name, values ?? true]));
  const env = { allow: listed["env"], ignore: true };
  assert.deepEqual(config.permissions, { stella: { ...listed, env, import: ["none.invalid"] } });
});

Deno.test("the unstable features in use are the listed ones, also from source", () => {
  assert.deepEqual(config.unstable.map((name) => `--unstable-${name}`), unstableFlags);
});

Deno.test("only tests run with all permissions", () => {
  for (const [name, task] of Object.entries(config.tasks)) {
    if (!/(^|\s)(-A|--allow-all)(\s|$)/.test(task)) continue;
    assert.match(task, /deno (test -A|run -A tests\/)/, name);
  }
});

Deno.test("every task that starts the Deno runtime turns its telemetry off", () => {
  for (const [name, task] of Object.entries(config.tasks)) {
    for (const command of task.split(" && ")) {
      if (/deno (run|test)\b/.test(command)) assert.match(command, /^OTEL_DENO=false /, name);
    }
  }
});

Deno.test("every form starts V8 with the same settings", () => {
  for (const flags of [compileFlags(), launcherArguments]) {
    assert.deepEqual(flags.filter((flag) => flag.startsWith("--v8-flags")), [engineFlags]);
  }
});

for (
  const [form, flags] of [["compile", compileFlags()], ["launcher", launcherArguments]] as const
) {
  Deno.test(`the ${form} flags grant exactly the listed permissions`, () => {
    const permissions = flags.filter((flag) =>
      /^--(allow|deny|ignore|no-prompt|no-remote)/.test(flag)
    );
    assert.deepEqual(permissions, permissionFlags());
    for (const flag of ["-A", "--allow-all", "--allow-run", "--allow-ffi", "--allow-env"]) {
      assert.ok(!flags.includes(flag), flag);
    }
    for (
      const flag of ["--no-config", "--no-lock", ...unstableFlags, "--no-code-cache"]
    ) {
      assert.ok(flags.includes(flag), flag);
    }
  });
}

Deno.test("the launcher passes no variable that takes effect before the program's first line", () => {
  const passed = passedNames();
  for (const name of passed) assert.doesNotMatch(name, /^(DENO|OTEL|LD)_|^STELLA_SELF$|^HOME$/);
  for (const name of ["NODE_OPTIONS", "SSLKEYLOGFILE", "STELLA_HOME"]) {
    assert.ok(!passed.includes(name));
  }
  const refusable = hostileNames.filter((name) => passed.includes(name));
  assert.deepEqual(refusable, [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "NODE_USE_ENV_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
  ]);
});

Deno.test("the launcher's header holds the list as C strings", () => {
  const lines = launcherConfig(27).split("\n");
  assert.ok(lines.includes('#define GLIBC_MINOR_TEXT "27"'));
  const list = launcherArguments.map((argument) => JSON.stringify(argument)).join(", ");
  assert.ok(lines.includes(`#define ARGUMENTS ${list}`));
  const variables = setVariables.map((variable) => JSON.stringify(variable)).join(", ");
  assert.ok(lines.includes(`#define SET_VARIABLES ${variables}`));
});
