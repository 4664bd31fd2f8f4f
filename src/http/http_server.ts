/**
 * The app on a socket: node:http, because Deno.serve knows no time limits for headers, bodies and idle connections
 * (reliability.md B2 row 5), so that a handful of slow clients could hold it for ever.
 */
import { createAdaptorServer } from "@hono/node-server";
import type { Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { checkBound, type Listen, listenError, urlOf } from "../config/listen.ts";
import type { App } from "./deps.ts";

/** Times in milliseconds; the names are those of node:http. */
export interface HttpLimits {
  headersTimeout: number;
  /** For a whole request, its body included. */
  requestTimeout: number;
  /** Between two requests. */
  keepAliveTimeout: number;
  connectionsCheckingInterval: number;
  /** Bytes. */
  maxHeaderSize: number;
}

/** Connections are looked at now and then, so that a limit takes effect up to one such interval late: 10 s and 30 s are kept. */
export const defaultLimits: HttpLimits = {
  headersTimeout: 8_000,
  requestTimeout: 29_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 16 * 1024,
};
/** Milliseconds without any byte in either direction. */
const idleTimeout = 60_000;
/** Above what one client machine opens, below what a process may: a connection is a descriptor. */
const maxConnections = 1_024;

/** PEM texts. */
export interface TlsFiles {
  certificate: string;
  key: string;
}

export interface HttpServer {
  /** `http://HOST:PORT`, https with a certificate, with the port that was given. */
  url: string;
  /** New connections get this certificate. @throws where it cannot be used; the one before stays */
  renew(tls: TlsFiles): void;
  /** Ends idle connections at once and busy ones after `bound` milliseconds. */
  close(bound: number): Promise<void>;
}

/**
 * @throws StellaError conflict where the address is in use, usage where it cannot be had, or
 * certificate and key are none or do not fit
 */
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
      // Request and Response stay what they are for the rest of the program.
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

/** What never became a request: the parser's complaint as a bare status, then the end. */
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
