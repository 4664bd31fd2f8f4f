/** Serves the app by node:http: Deno.serve has no timeouts, and slow clients could block it. */
import { createAdaptorServer } from "@hono/node-server";
import type { Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { checkBound, type Listen, listenError, urlOf } from "../config/listen.ts";
import type { App } from "./deps.ts";

/**
 * Names of node:http, times in milliseconds. Connections are checked at intervals: with one more,
 * 10 s and 30 s are still kept.
 */
export const defaultLimits = {
  headersTimeout: 8_000,
  /** For a whole request including its body. */
  requestTimeout: 29_000,
  /** Between two requests. */
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 16 * 1024,
};
export type HttpLimits = typeof defaultLimits;

/** Milliseconds without a byte in either direction. */
const idleTimeout = 60_000;
/** More than one client machine opens, fewer than a process may have descriptors. */
const maxConnections = 1_024;

export interface TlsFiles {
  certificate: string;
  key: string;
}

export interface HttpServer {
  /** `http://HOST:PORT`, https with a certificate, with the actual port. */
  url: string;
  /** New connections get this certificate. @throws if it cannot be used; the old one stays */
  renew(tls: TlsFiles): void;
  /** Closes idle connections at once and busy ones after `bound` milliseconds. */
  close(bound: number): Promise<void>;
}

/** @throws StellaError conflict if the address is in use, usage or config if it cannot be used */
export async function serveHttp(
  app: Pick<App, "fetch">,
  listen: Listen,
  { tls, ...limits }: Partial<HttpLimits> & { tls?: TlsFiles | undefined } = {},
): Promise<HttpServer> {
  const server = adaptor(app, { ...defaultLimits, ...limits }, tls);
  server.maxConnections = maxConnections;
  server.setTimeout(idleTimeout);
  server.on("clientError", refuse);
  await listening(server, listen);
  const { address, port } = server.address() as AddressInfo;
  try {
    checkBound(listen, { host: address, port });
  } catch (error) {
    await close(server, 0);
    throw error;
  }
  const url = urlOf({ ...listen, port }, tls === undefined ? "http" : "https");
  const renew = (files: TlsFiles) => (server as TlsServer).setSecureContext(secureOf(files));
  return { url, renew, close: (bound) => close(server, bound) };
}

function adaptor(app: Pick<App, "fetch">, limits: HttpLimits, tls: TlsFiles | undefined): Server {
  const secure = tls === undefined ? {} : {
    createServer: createTlsServer,
    serverOptions: { ...limits, ...secureOf(tls) },
  };
  return createAdaptorServer(
    {
      fetch: app.fetch,
      serverOptions: { ...limits },
      ...secure,
      // Keeps Request and Response unchanged for the rest of the program.
      overrideGlobalObjects: false,
    } as Parameters<typeof createAdaptorServer>[0],
  ) as Server;
}

function secureOf({ certificate, key }: TlsFiles) {
  return { cert: certificate, key, minVersion: "TLSv1.2" as const };
}

function listening(server: Server, listen: Listen): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (error) => reject(listenError(listen, error)));
  server.listen(listen.port, listen.host, resolve);
  return promise;
}

/** Answers invalid requests with a bare status and closes the connection. */
function refuse(error: Error & { code?: string }, socket: Duplex): void {
  const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? "408 Request Timeout"
    : error.code === "HPE_HEADER_OVERFLOW"
    ? "431 Request Header Fields Too Large"
    : "400 Bad Request";
  if (socket.writable && error.code !== "ECONNRESET") {
    socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
  socket.destroy();
}

async function close(server: Server, bound: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const limit = setTimeout(() => server.closeAllConnections(), bound);
  await promise;
  clearTimeout(limit);
}
