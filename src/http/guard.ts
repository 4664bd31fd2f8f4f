/**
 * Checks every request. The service responds on loopback without tokens, so the danger is a browser
 * on the same machine that a foreign page directs to it: by a name that resolves to 127.0.0.1
 * (Host), or by a form (Origin, content type). node:http accepts 500 headers and two Host headers,
 * so both are counted here.
 */
import { isIP } from "node:net";
import type { Context } from "hono";
import { isLoopback } from "../domain/loopback.ts";
import { hostOf } from "../domain/reference.ts";
import type { AppEnvironment, Handler, NodeBindings } from "./deps.ts";
import { problem } from "./problem.ts";

const maxHeaders = 100;
/** Characters of a name and its port (RFC 1035 section 2.3.4); longer ones are cut when shown. */
const maxHostLength = 261;

const proxied = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

const headers = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export const setHeaders: Handler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) {
    // The runbook has its own policy, which allows its style.
    if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  }
};

/** Host names by which clients may reach the service. */
export interface Names {
  /** In lower case, without a port; localhost and loopback addresses are always allowed. */
  hosts: readonly string[];
  /** Allow any IP address: a foreign page has its own address, so DNS rebinding needs a name. */
  addresses: boolean;
}

export function guard(own: Names): Handler {
  return async (c, next) => {
    // c.env does not exist when a test calls app.request(path).
    const raw = (c.env as NodeBindings | undefined)?.incoming?.rawHeaders ?? [];
    if (raw.length / 2 > maxHeaders) {
      return problem(c, "headers_too_large", `A request has at most ${maxHeaders} headers`);
    }
    const named = raw.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length;
    if (named > 1) {
      return problem(c, "request_invalid", "A request has one Host header");
    }
    // The URL comes from the Host header, or from an absolute request target, which takes
    // precedence (RFC 9112 section 3.2.2).
    const hosts = [new URL(c.req.url).host, c.req.header("host") ?? ""].filter((one) => one !== "");
    const foreign = hosts.find((host) => !isOwn(host, own));
    if (foreign !== undefined) return misdirected(c, foreign);
    const origin = c.req.header("origin");
    if (origin !== undefined && !isOwn(URL.parse(origin)?.host ?? "", own)) {
      return problem(c, "origin_refused", "Requests from another origin are refused");
    }
    return await next();
  };
}

function misdirected(c: Context, host: string) {
  const name = JSON.stringify(host.slice(0, maxHostLength));
  const hint = "if it is a name of this service, add it to service.hosts in stella.yaml";
  return problem(c, "host_unknown", `The host name ${name} is not served here`, { hint });
}

/** Whether the request comes from this machine; one that a proxy says it forwards does not. */
export function isLocal(c: Context<AppEnvironment>): boolean {
  const isForwarded = proxied.some((name) => c.req.header(name) !== undefined);
  return !isForwarded && isLoopback(peerOf(c));
}

/** The peer's address; empty if a test calls the app directly. */
export function peerOf(c: Context<AppEnvironment>): string {
  const peer = (c.env as NodeBindings | undefined)?.incoming?.socket?.remoteAddress ?? "";
  // A dual-stack socket writes IPv4 addresses like this.
  return peer.replace(/^::ffff:/i, "");
}

/** Any port is fine: a forwarded one differs. */
function isOwn(host: string, { hosts, addresses }: Names): boolean {
  const url = URL.parse(`http://${host}`);
  const name = url === null ? "" : hostOf(url);
  if (addresses && isIP(name) !== 0) return true;
  return isLoopback(name) || hosts.includes(name);
}
