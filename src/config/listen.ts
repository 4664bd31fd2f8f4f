/** Addresses to listen on. Whoever may be reached from other machines has to say so, and has to ask for tokens. */
import { isIP } from "node:net";
import { StellaError } from "../errors.ts";

export const defaultListen = "127.0.0.1:8420";

export interface Listen {
  /** An IP address, without brackets. */
  host: string;
  /** 0 lets the system choose. */
  port: number;
}

/**
 * Reads `HOST:PORT`, `[::1]:PORT` or `localhost:PORT`.
 * @throws StellaError usage where it cannot be read
 */
export function parseAddress(text: string): Listen {
  const listen = readAddress(text);
  if (listen !== undefined) return listen;
  throw new StellaError("usage", `Cannot listen on ${JSON.stringify(text)}: no IP:PORT`, {
    hint: `write it as ${defaultListen} or [::1]:8420`,
  });
}

/** Whether `parseAddress` can read it. */
export function isAddress(text: string): boolean {
  return readAddress(text) !== undefined;
}

function readAddress(text: string): Listen | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  const host = addressOf(parts?.[1] ?? parts?.[2] ?? "");
  return host !== undefined && port <= 65535 ? { host, port } : undefined;
}

/** As `parseAddress`, for what only this machine may reach. @throws StellaError usage */
export function parseListen(text: string): Listen {
  const listen = parseAddress(text);
  if (isLoopback(listen.host)) return listen;
  throw notLoopback(text, "only this machine may reach it: use 127.0.0.1 or [::1]");
}

/** As `parseAddress`; other machines may reach only what has tokens. @throws StellaError usage */
export function parseGuarded(text: string, tokens: number): Listen {
  const listen = parseAddress(text);
  if (tokens > 0 || isLoopback(listen.host)) return listen;
  throw notLoopback(
    text,
    "there are no access tokens, so only this machine may reach it: use 127.0.0.1 or [::1], or configure tokens",
  );
}

function notLoopback(text: string, hint: string): StellaError {
  const what = `Cannot listen on ${JSON.stringify(text)}: not a loopback address`;
  return new StellaError("usage", what, { hint });
}

/** 127.0.0.0/8 and ::1, as IP addresses; a name is never resolved to find out. */
export function isLoopback(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith("127.");
  return isIP(address) === 6 && URL.parse(`http://[${address}]`)?.hostname === "[::1]";
}

/** Whether `host`, as a URL or a Host header spells it, with or without a port, is this machine by its own name or address. */
export function isLoopbackHost(host: string): boolean {
  const url = URL.parse(`http://${host}/`);
  if (url === null || url.href !== `http://${url.host}/`) return false;
  const name = url.hostname.replace(/^\[|\]$/g, "");
  return name === "localhost" || isLoopback(name);
}

/** `http://HOST:PORT`. */
export function urlOf(listen: Listen, scheme = "http"): string {
  const host = isIP(listen.host) === 6 ? `[${listen.host}]` : listen.host;
  return `${scheme}://${host}:${listen.port}`;
}

/** localhost is taken as 127.0.0.1 without asking a resolver, which might say otherwise. */
function addressOf(host: string): string | undefined {
  if (host.toLowerCase() === "localhost") return "127.0.0.1";
  return isIP(host) === 0 ? undefined : host;
}
