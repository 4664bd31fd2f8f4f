/** Explains a request without a response: what broke the connection, and what may help. */
import { messageOf } from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import { RemoteError, type RemoteReason, shortened, target } from "./failure.ts";
import type { Outgoing } from "./message.ts";

interface Kind {
  /** Codes of Node.js, OpenSSL and libuv; one that ends with `_` stands for all that begin so. */
  on: readonly string[];
  /** `host` is HOST[:PORT], `when` empty or as in ` while a blob was sent`. */
  text?: (host: string, when: string) => string;
  reason?: RemoteReason;
  hint?: string;
  /** Permanent failures are not retried; most are transient. */
  lasts?: boolean;
}

/** Codes of TLS alerts name the version that defines them, which says nothing more. */
const alertPrefix = "ALERT_";

const kinds: readonly Kind[] = [
  {
    on: [
      ...["CERT_", "ERR_TLS_CERT_", "UNABLE_TO_", "SELF_SIGNED_", "DEPTH_ZERO_"],
      ...["HOSTNAME_MISMATCH", "INVALID_CA"],
    ],
    reason: "auth",
    hint: "name the registry's certificate authority, or have the certificate renewed",
    lasts: true,
  },
  {
    // What the other side says of our certificate: ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED.
    on: [
      ...["ACCESS_DENIED", "BAD_CERTIFICATE", "CERTIFICATE_", "UNKNOWN_CA"],
      "UNSUPPORTED_CERTIFICATE",
    ].map((alert) => alertPrefix + alert),
    reason: "auth",
    hint: "name a client certificate that the registry accepts: --client-cert and --client-key",
    lasts: true,
  },
  {
    on: ["ENOTFOUND", "ENODATA", "EAI_NODATA", "EAI_NONAME"],
    text: (host) => `no address is known for ${host}`,
    hint: "check the registry's host name",
    lasts: true,
  },
  {
    on: ["EAI_AGAIN"],
    text: (host) => `the name server does not answer for ${host}`,
    hint: "check this machine's name server, and the registry's host name",
  },
  { on: ["ETIMEDOUT"], reason: "timeout" },
  {
    on: ["ERR_SSL_WRONG_VERSION_NUMBER"],
    text: (host) => `${host} does not use TLS`,
    hint: "use --plain-http, or plainHttp in the configuration, for a registry without TLS",
  },
  { on: ["HPE_"], text: (host) => `${host} does not use HTTP`, hint: "check host and port" },
  {
    on: ["ECONNREFUSED"],
    text: (host) => `${host} refused the connection`,
    hint: "check host and port, and that the registry is running",
  },
  {
    on: ["EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EHOSTDOWN"],
    text: (host) => `${host} cannot be reached from this network`,
  },
  {
    on: ["ECONNRESET", "EPIPE", "ECONNABORTED"],
    text: (host, when) => `${host} closed the connection${when}`,
    hint: "check the log of the registry and of any proxy in front of it",
  },
];

/** The end of a connection that no error announced. */
export function connectionClosed(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" });
}

export function broken(outgoing: Outgoing, cause: unknown): RemoteError {
  const { url, purpose } = outgoing;
  const code = errnoOf(cause);
  const words = wordsOf(cause);
  const name = code.replace(/^ERR_SSL_\w+?_ALERT_/, alertPrefix);
  const kind: Omit<Kind, "on"> = kinds.find(({ on }) => on.some((one) => isCode(name, one))) ?? {};
  const known = kind.text?.(url.host, purpose === undefined ? "" : ` while ${purpose}`);
  const text = known === undefined
    ? words || "the connection ended"
    : known + addressesIn(words, url.host);
  const message = `${target(outgoing)}: ${shortened(text)}`;
  return new RemoteError(kind.reason ?? "reset", message, {
    cause,
    isTransient: kind.lasts !== true,
    hint: kind.hint,
  });
}

function isCode(code: string, listed: string): boolean {
  return listed.endsWith("_") ? code.startsWith(listed) : code === listed;
}

/** ` (10.0.0.7:5000)`: the addresses that were tried, unless the host is one itself. */
function addressesIn(words: string, host: string): string {
  const found = [...words.matchAll(/\bconnect E[A-Z]+ ([^\s;]+)/g)].map(([, address]) => address);
  const others = found.filter((address) => address !== undefined && address !== host);
  return others.length === 0 ? "" : ` (${others.join(", ")})`;
}

/** Empty for an error of which only the class is known. */
function wordsOf(cause: unknown): string {
  const words = messageOf(cause);
  return cause instanceof Error && words === cause.name ? "" : words;
}
