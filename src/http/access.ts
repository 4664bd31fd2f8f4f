/**
 * Authentication and authorization. Without tokens the service only listens on loopback and every
 * caller may do everything. With tokens every API request needs one, also from this machine: a
 * proxy would otherwise open it to everybody. A foreign tenant's things are answered like unknown
 * ones.
 */
import { createHash } from "node:crypto";
import { timingSafeEqual } from "@std/crypto";
import type { Context } from "hono";
import type { Config } from "../config/load.ts";
import { anonymous, type Scope, scopes } from "../config/service.ts";
import { belongsTo, type Profile } from "../config/profile.ts";
import type { Access, AppEnvironment, Handler } from "./deps.ts";
import { problem } from "./problem.ts";

/** Whether one of the caller's tenants may export the profile; for all others it does not exist. */
export function mayName({ tenants }: Access, profile: Pick<Profile, "tenants">): boolean {
  return tenants.some((tenant) => belongsTo(profile, tenant));
}

/** Attaches the access of the request for handlers, or refuses the request (RFC 6750 section 3). */
export function authenticate(config: Pick<Config, "tokens" | "tenants">): Handler {
  const find = accessFinder(config);
  return async (c, next) => {
    const access = find(c.req.header("authorization"));
    if (access === undefined) {
      c.header("www-authenticate", 'Bearer realm="stella"');
      return problem(c, "token_missing", "This needs a token, as Authorization: Bearer");
    }
    c.set("access", access);
    return await next();
  };
}

export function needs(scope: Scope): Handler {
  return async (c, next) => {
    if (c.get("access").scopes.includes(scope)) return await next();
    c.header("www-authenticate", `Bearer realm="stella", error="insufficient_scope"`);
    return problem(c, "scope_missing", `The token does not have the scope ${scope}`);
  };
}

/** The access of an Authorization header; undefined: none. */
export function accessFinder(
  { tokens, tenants }: Pick<Config, "tokens" | "tenants">,
): (authorization: string | undefined) => Access | undefined {
  const everything = { actor: anonymous, tenants, scopes };
  const known = tokens.map((token) => ({
    digest: Uint8Array.fromHex(token.sha256),
    access: { actor: token.name, tenants: token.tenants, scopes: token.scopes },
  }));
  return (authorization) => {
    if (known.length === 0) return everything;
    const token = /^bearer +([\x21-\x7e]{1,1024})$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) return undefined;
    // Digests are compared, in constant time for every length, and with all tokens, so that timing
    // reveals no position.
    const digest = new Uint8Array(createHash("sha256").update(token).digest());
    return known.filter((one) => timingSafeEqual(one.digest, digest)).at(0)?.access;
  };
}

/** Whether an Authorization header has a valid token. Without configured tokens none is valid. */
export function tokenChecker(
  config: Pick<Config, "tokens" | "tenants">,
): (authorization: string | undefined) => boolean {
  if (config.tokens.length === 0) return () => false;
  const find = accessFinder(config);
  return (authorization) => find(authorization) !== undefined;
}

/** Caches the result of `make` per token instead of per request. */
export function perAccess<T>(make: (access: Access) => T): (c: Context<AppEnvironment>) => T {
  const made = new WeakMap<Access, T>();
  return (c) => {
    const access = c.get("access");
    const value = made.get(access) ?? make(access);
    made.set(access, value);
    return value;
  };
}
