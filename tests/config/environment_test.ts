import assert from "node:assert/strict";
import { ignoredWarning, refuseHostileEnvironment } from "../../src/config/hostile_environment.ts";
import {
  keyDirectory,
  loginFiles,
  requireStateDirectory,
  stateDirectory,
  trustDirectories,
} from "../../src/config/paths.ts";
import {
  environmentNames,
  hostileNames,
  ignoredNames,
  refusedNames,
} from "../../src/config/permissions.ts";
import { StellaError } from "../../src/domain/errors.ts";

const of = (variables: Record<string, string>) => (name: string) => variables[name];

Deno.test("the state directory follows STELLA_DATA, STATE_DIRECTORY, XDG_STATE_HOME, HOME", () => {
  const all = {
    STELLA_DATA: "/data",
    STATE_DIRECTORY: "/var/lib/stella:/var/lib/other",
    XDG_STATE_HOME: "/xdg",
    HOME: "/home/u",
  };
  assert.equal(stateDirectory(of(all)), "/data");
  assert.equal(stateDirectory(of({ ...all, STELLA_DATA: "" })), "/var/lib/stella");
  assert.equal(stateDirectory(of({ XDG_STATE_HOME: "/xdg", HOME: "/home/u" })), "/xdg/stella");
  assert.equal(
    stateDirectory(of({ XDG_STATE_HOME: "relative", HOME: "/home/u" })),
    "/home/u/.local/state/stella",
  );
  assert.equal(stateDirectory(of({})), undefined);
});

Deno.test("a relative STELLA_DATA is refused, because it would depend on the working directory", () => {
  assert.throws(() => stateDirectory(of({ STELLA_DATA: "data" })), {
    kind: "config",
    message: /STELLA_DATA="data": not an absolute path/,
  });
});

Deno.test("a command without its required state directory explains how to set one", () => {
  assert.throws(() => requireStateDirectory(of({})), { kind: "config", hint: /STELLA_DATA/ });
  assert.equal(keyDirectory("/s"), "/s/keys");
});

Deno.test("the trust directories are the system's and the user's", () => {
  assert.deepEqual(trustDirectories(of({ HOME: "/home/u" })), [
    "/etc/stella/trust.d",
    "/home/u/.config/stella/trust.d",
  ]);
  assert.deepEqual(trustDirectories(of({ XDG_CONFIG_HOME: "/c" })), [
    "/etc/stella/trust.d",
    "/c/stella/trust.d",
  ]);
  assert.deepEqual(trustDirectories(of({})), ["/etc/stella/trust.d"]);
});

Deno.test("registry logins are read from the paths of podman and docker, in podman's order", () => {
  const all = { HOME: "/h", XDG_RUNTIME_DIR: "/run/user/1", XDG_CONFIG_HOME: "/c" };
  assert.deepEqual(loginFiles(of(all)), [
    "/run/user/1/containers/auth.json",
    "/c/containers/auth.json",
    "/h/.docker/config.json",
  ]);
  assert.deepEqual(loginFiles(of({ HOME: "/h" })), [
    "/h/.config/containers/auth.json",
    "/h/.docker/config.json",
  ]);
  assert.deepEqual(loginFiles(of({ ...all, DOCKER_CONFIG: "/d" })), ["/d/config.json"]);
  const named = { ...all, DOCKER_CONFIG: "/d", REGISTRY_AUTH_FILE: "/a.json" };
  assert.deepEqual(loginFiles(of(named)), ["/a.json"]);
  assert.deepEqual(loginFiles(of({})), []);
});

Deno.test("proxy and certificate variables are ignored with a warning, without their values", () => {
  for (const name of ignoredNames) {
    const environment = of({ [name]: "http://user:secret@proxy" });
    refuseHostileEnvironment(environment);
    const warning = ignoredWarning(environment) ?? "";
    assert(warning.startsWith(`${name} ignored: `), warning);
    assert(!warning.includes("secret"));
  }
  assert.match(
    ignoredWarning(of({ HTTP_PROXY: "x", http_proxy: "x" }))!,
    /^HTTP_PROXY, http_proxy /,
  );
  assert.equal(ignoredWarning(of({ HTTP_PROXY: "", NODE_USE_ENV_PROXY: "0" })), undefined);
});

Deno.test("variables that Deno obeys are refused by name, without printing their values", () => {
  for (const name of refusedNames) {
    assert.throws(
      () => refuseHostileEnvironment(of({ [name]: "http://user:secret@proxy" })),
      (error) => {
        assert.ok(error instanceof StellaError);
        assert.equal(error.kind, "config");
        assert.ok(error.message.includes(name) && error.hint?.includes(`-u ${name} `));
        assert.deepEqual(error.findings, [
          { kind: "config", reason: "hostile_environment", found: name },
        ]);
        return !JSON.stringify([error.message, error.hint]).includes("secret");
      },
    );
  }
});

Deno.test("all hostile variables are reported at once, and values without an effect are allowed", () => {
  assert.throws(
    () => refuseHostileEnvironment(of({ NODE_OPTIONS: "x", SSLKEYLOGFILE: "y" })),
    { message: "Cannot use the network while NODE_OPTIONS, SSLKEYLOGFILE is set" },
  );
  refuseHostileEnvironment(of({ NODE_OPTIONS: "", OTEL_DENO: "false" }));
});

Deno.test("no variable of the program is listed as hostile", () => {
  const own = new Set<string>(environmentNames);
  assert.deepEqual(hostileNames.filter((name) => own.has(name)), []);
});
