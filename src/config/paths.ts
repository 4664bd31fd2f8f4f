/**
 * Where stella keeps things. The environment is handed in as a function, so that a test has its own and the
 * library reads nothing behind anybody's back. Source: design.md section 4, XDG base directory specification 0.8.
 */
import { isAbsolute, join } from "node:path";
import { StellaError } from "../domain/errors.ts";

/** The value of a variable, undefined where it is not set. */
export type Environment = (name: string) => string | undefined;

/**
 * STELLA_DATA, else STATE_DIRECTORY (systemd), else XDG_STATE_HOME/stella, else HOME/.local/state/stella; undefined
 * where none is set. Nothing is made here.
 * @throws StellaError usage for a relative STELLA_DATA: it would move with the working directory
 */
export function stateDirectory(environment: Environment): string | undefined {
  const named = set(environment, "STELLA_DATA");
  if (named !== undefined) return absolute("STELLA_DATA", named);
  // systemd lists several directories with a colon; ours is the only or the first one.
  const given = set(environment, "STATE_DIRECTORY")?.split(":")[0];
  if (given !== undefined) return absolute("STATE_DIRECTORY", given);
  return xdg(environment, "XDG_STATE_HOME", ".local/state");
}

/** As `stateDirectory`, for commands that cannot do without. @throws StellaError usage */
export function requireStateDirectory(environment: Environment): string {
  const found = stateDirectory(environment);
  if (found !== undefined) return found;
  throw new StellaError("usage", "Cannot find the state directory: HOME is not set", {
    hint: "set STELLA_DATA to a directory of this user",
  });
}

/** The keys of this machine: what is in it signs, and is trusted. */
export function keyDirectory(state: string): string {
  return join(state, "keys");
}

/** The key that this machine signs with. */
export function machineKeyPath(state: string): string {
  return join(keyDirectory(state), "signing.key");
}

/** Directories of trusted keys beside the own ones and those named by `--trust`; they need not exist. */
export function trustDirectories(environment: Environment): string[] {
  const own = xdg(environment, "XDG_CONFIG_HOME", ".config");
  return ["/etc/stella/trust.d", ...(own === undefined ? [] : [join(own, "trust.d")])];
}

/**
 * Where `docker login` and `podman login` keep credentials, in podman's order; none need exist.
 * REGISTRY_AUTH_FILE names the only file there is, else DOCKER_CONFIG the directory of the only
 * one. Source: podman-login(1), containers-auth.json(5).
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

/**
 * `<variable>/<name>`, else `HOME/<fallback>/<name>`; the specification says to ignore a relative
 * value.
 */
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
  // The launcher moves HOME out of Deno's sight (Deno reads ~/.npmrc at every start) and passes it under this name.
  const home = environment("STELLA_HOME") ?? set(environment, "HOME");
  return home !== undefined && isAbsolute(home) ? home : undefined;
}

function set(environment: Environment, name: string): string | undefined {
  const value = environment(name);
  return value === "" ? undefined : value;
}

function absolute(name: string, path: string): string {
  if (isAbsolute(path)) return path;
  throw new StellaError("usage", `Cannot use ${name}=${JSON.stringify(path)}: it is relative`, {
    hint: "name the directory from the root",
  });
}
