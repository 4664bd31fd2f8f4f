/**
 * A sink for spans without a collector: takes OTLP over HTTP (OTLP specification 1.x), JSON or
 * protobuf. It responds after the line was written, so that senders retry otherwise.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { messageOf } from "../../domain/errors.ts";
import { tracesFromJson, tracesFromProtobuf, WireError } from "./otlp_traces.ts";

export interface SinkOptions {
  host: string;
  port: number;
  /** Whether a Host header names this machine: with DNS rebinding a web page sends another name. */
  isOwnHost(host: string): boolean;
  /** Stores a line. @throws if it cannot */
  keep(line: string): void;
  /** Called after each accepted request. */
  onSpans(count: number): void;
}

/** Limits of a body in bytes, as sent and decompressed. */
const maxBodyBytes = 8 * 1024 * 1024;
const maxDecompressedBytes = 64 * 1024 * 1024;
const maxConnections = 64;

const readers = new Map([
  ["application/json", tracesFromJson],
  ["application/x-protobuf", tracesFromProtobuf],
]);

/** A refused request: OTLP senders drop it at 400 and above, and retry at 503. */
class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** The address and the URL that it listens on. @throws the system's error if it cannot */
export async function openSink(options: SinkOptions) {
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 60_000 },
    (request, response) => void take(request, response, options),
  );
  server.maxConnections = maxConnections;
  const { promise: isListening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(options.port, options.host, resolve);
  await isListening;
  const { address, port } = server.address() as AddressInfo;
  const host = address.includes(":") ? `[${address}]` : address;
  return {
    address: { host: address, port },
    url: `http://${host}:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function take(
  request: IncomingMessage,
  response: ServerResponse,
  options: SinkOptions,
): Promise<void> {
  try {
    checkHost(request, options);
    checkRoute(request);
    const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
    const read = readers.get(type);
    // A browser can send neither type without a preflight request, which is not answered here.
    if (read === undefined) {
      const known = [...readers.keys()].join(" nor ");
      throw new Refusal(415, `the content type is neither ${known}`);
    }
    const { line, count } = read(unpacked(request, await bodyOf(request)));
    kept(line, options);
    options.onSpans(count);
    // The empty response to accepted spans: `{}`, or a message without fields.
    response.writeHead(200, { "content-type": type }).end(type === "application/json" ? "{}" : "");
  } catch (error) {
    refuse(response, error);
  }
}

function checkHost({ rawHeaders }: IncomingMessage, { isOwnHost }: SinkOptions): void {
  const hosts = rawHeaders.filter((_, at) =>
    rawHeaders[at - 1]?.toLowerCase() === "host" && at % 2
  );
  if (hosts.length !== 1) throw new Refusal(400, "a request has one Host header");
  if (!isOwnHost(hosts[0] ?? "")) throw new Refusal(421, "this host name is not served here");
}

function checkRoute({ url, method }: IncomingMessage): void {
  if (url !== "/v1/traces") throw new Refusal(404, "only /v1/traces is served here");
  if (method !== "POST") throw new Refusal(405, "only POST is served here");
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > maxBodyBytes) throw new Refusal(413, `a body has at most ${maxBodyBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function unpacked(request: IncomingMessage, body: Uint8Array): Uint8Array {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return body;
  if (encoding !== "gzip") throw new Refusal(415, "the content encoding is not gzip");
  try {
    return gunzipSync(body, { maxOutputLength: maxDecompressedBytes });
  } catch {
    throw new Refusal(400, `the body is not gzip of at most ${maxDecompressedBytes} bytes`);
  }
}

function kept(line: string, { keep }: SinkOptions): void {
  try {
    keep(line);
  } catch (error) {
    throw new Refusal(503, messageOf(error));
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  const status = error instanceof Refusal ? error.status : error instanceof WireError ? 400 : 500;
  if (response.headersSent || response.destroyed) return;
  // A sender that gets an error in the middle of its body would continue to send it.
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify({ code: status === 503 ? 14 : 3, message: messageOf(error) }));
}
