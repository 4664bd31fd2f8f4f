/**
 * Addresses to listen on. Listening for other machines has to be configured, together with tokens.
 */
import { isIP } from "node:net";
import { StellaError } from "../domain/errors.ts";
import { errnoOf, ioError } from "../domain/io_errors.ts";
import { isLoopback } from "../domain/loopback.ts";

export const defaultListen = "127.0.0.1:8420";

export interface Listen {
  /** An IP address, without brackets. */
  host: string;
  /** 0: chosen by the system. */
  port: number;
}

/**
 * Parses `HOST:PORT`, `[::1]:PORT` or `localhost:PORT`.
 * @throws StellaError usage if it is not valid
 */
export function parseAddress(text: string): Listen {
  const listen = readAddress(text);
  if (listen !== undefined) return listen;
  throw refuse(text, "not in the form IP:PORT", `write it as ${defaultListen} or [::1]:8420`);
}

function refuse(text: string, found: string, hint: string, cause?: unknown): StellaError {
  const what = `Cannot listen on ${JSON.stringify(text)}: ${found}`;
  return new StellaError("argument_invalid", what, { hint, cause });
}

/** Like `parseAddress`; undefined if it is not valid. */
export function readAddress(text: string): Listen | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  const host = addressOf(parts?.[1] ?? parts?.[2] ?? "");
  return host !== undefined && port <= 65535 ? { host, port } : undefined;
}

/** Like `parseAddress`, for loopback addresses only. @throws StellaError usage */
export function parseListen(text: string): Listen {
  const listen = parseAddress(text);
  if (isLoopback(listen.host)) return listen;
  const hint = "use 127.0.0.1 or [::1]: only this machine may reach it";
  throw refuse(text, "not a loopback address", hint);
}

/** Like `parseAddress`; an address other than loopback needs tokens. @throws StellaError usage */
export function parseGuarded(text: string, tokens: number): Listen {
  const listen = parseAddress(text);
  if (tokens > 0 || isLoopback(listen.host)) return listen;
  const hint = "use 127.0.0.1 or [::1], or configure tokens: there are no access tokens, so only " +
    "this machine may reach it";
  throw refuse(text, "not a loopback address", hint);
}

/** `http://HOST:PORT`. */
export function urlOf(listen: Listen, scheme = "http"): string {
  return `${scheme}://${textOf(listen)}`;
}

function textOf({ host, port }: Listen): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** localhost is 127.0.0.1, without asking a resolver. */
function addressOf(host: string): string | undefined {
  if (host.toLowerCase() === "localhost") return "127.0.0.1";
  return isIP(host) === 0 ? undefined : host;
}

/** Why an address cannot be listened on: conflict, or usage if this machine does not have it. */
export function listenError(listen: Listen, cause: unknown): StellaError {
  const place = textOf(listen);
  const errno = errnoOf(cause);
  if (errno === "EADDRINUSE") {
    return new StellaError("address_in_use", `Cannot listen on "${place}": the address is in use`, {
      cause,
      hint: `find out who listens there with \`ss -ltnp\`, or choose another port`,
    });
  }
  // Deno's node:net reports EINVAL.
  if (!["EADDRNOTAVAIL", "EINVAL"].includes(errno)) {
    return ioError("Cannot listen on", place, cause);
  }
  const hint = "choose an address of this machine: `ip address` lists them";
  return refuse(place, "this machine has no such address", hint, cause);
}

/**
 * Compares the bound address with the requested one: the runtime obeys variables such as
 * DENO_SERVE_ADDRESS.
 * @throws StellaError usage if they differ
 */
export function checkBound(asked: Listen, bound: Listen): void {
  const isSame = hostOf(bound) === hostOf(asked) && [0, bound.port].includes(asked.port);
  if (isSame) return;
  const what = `Cannot listen on "${textOf(asked)}": "${textOf(bound)}" was bound instead`;
  throw new StellaError("environment_invalid", what, { hint: "unset DENO_SERVE_ADDRESS" });
}

/** IPv6 addresses in their canonical short form. */
function hostOf(listen: Listen): string {
  return new URL(urlOf(listen)).hostname;
}
