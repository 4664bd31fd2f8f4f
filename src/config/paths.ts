/**
 * Paths of state, keys and logins. The environment is passed as a function, so that tests have
 * their own and nothing is read implicitly. Source: XDG base directory specification 0.8.
 */
import { isAbsolute, join } from "node:path";
import { StellaError } from "../domain/errors.ts";

export type Environment = (name: string) => string | undefined;

/**
 * STELLA_DATA, otherwise STATE_DIRECTORY (systemd), XDG_STATE_HOME/stella, or
 * HOME/.local/state/stella; undefined if none is set. Creates nothing.
 * @throws StellaError usage if STELLA_DATA is relative: it would depend on the working directory
 */
export function stateDirectory(environment: Environment): string | undefined {
  const named = set(environment, "STELLA_DATA");
  if (named !== undefined) return absolute("STELLA_DATA", named);
  // systemd separates several directories by colons; ours is the first or only one.
  const given = set(environment, "STATE_DIRECTORY")?.split(":")[0];
  if (given !== undefined) return absolute("STATE_DIRECTORY", given);
  return xdg(environment, "XDG_STATE_HOME", ".local/state");
}

/** Like `stateDirectory`, for commands that need one. @throws StellaError usage */
export function requireStateDirectory(environment: Environment): string {
  const found = stateDirectory(environment);
  if (found !== undefined) return found;
  throw new StellaError("environment_invalid", "Cannot find the state directory: HOME is not set", {
    hint: "set STELLA_DATA to a directory of this user",
  });
}

/** Keys of this machine: it signs with them and trusts them. */
export function keyDirectory(state: string): string {
  return join(state, "keys");
}

export function machineKeyPath(state: string): string {
  return join(keyDirectory(state), "signing.key");
}

/** Directories of trusted keys in addition to the machine's own and `--trust`; none need exist. */
export function trustDirectories(environment: Environment): string[] {
  const own = xdg(environment, "XDG_CONFIG_HOME", ".config");
  return ["/etc/stella/trust.d", ...(own === undefined ? [] : [join(own, "trust.d")])];
}

/** Directories of keys that this machine trusts: its own and those above. */
export function keyDirectories(environment: Environment): string[] {
  const state = stateDirectory(environment);
  return [...state === undefined ? [] : [keyDirectory(state)], ...trustDirectories(environment)];
}

/**
 * Where `docker login` and `podman login` store credentials, in podman's order; none need exist.
 * REGISTRY_AUTH_FILE names the only file, otherwise DOCKER_CONFIG the directory of the only one.
 * Source: podman-login(1), containers-auth.json(5).
 */
export function loginFiles(environment: Environment): string[] {
  const file = set(environment, "REGISTRY_AUTH_FILE");
  if (file !== undefined) return [file];
  const docker = set(environment, "DOCKER_CONFIG");
  if (docker !== undefined) return [join(docker, "config.json")];
  const home = homeDirectory(environment);
  return [
    xdg(environment, "XDG_RUNTIME_DIR", undefined, "containers/auth.json"),
    xdg(environment, "XDG_CONFIG_HOME", ".config", "containers/auth.json"),
    home === undefined ? undefined : join(home, ".docker", "config.json"),
  ].filter((path) => path !== undefined);
}

/** `<variable>/<name>`, otherwise `HOME/<fallback>/<name>`; a relative value is ignored. */
function xdg(
  environment: Environment,
  variable: string,
  fallback: string | undefined,
  name = "stella",
): string | undefined {
  const base = set(environment, variable);
  if (base !== undefined && isAbsolute(base)) return join(base, name);
  const home = homeDirectory(environment);
  return home === undefined || fallback === undefined ? undefined : join(home, fallback, name);
}

function homeDirectory(environment: Environment): string | undefined {
  // The launcher hides HOME from Deno (which reads ~/.npmrc at every start) and passes it under
  // this name.
  const home = environment("STELLA_HOME") ?? set(environment, "HOME");
  return home !== undefined && isAbsolute(home) ? home : undefined;
}

function set(environment: Environment, name: string): string | undefined {
  const value = environment(name);
  return value === "" ? undefined : value;
}

function absolute(name: string, path: string): string {
  if (isAbsolute(path)) return path;
  const what = `Cannot use ${name}=${JSON.stringify(path)}: not an absolute path`;
  throw new StellaError("environment_invalid", what, { hint: "give an absolute path" });
}
