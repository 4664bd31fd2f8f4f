/**
 * Explains a request that failed without a response: what happened to the connection, to which
 * host, and what may help.
 */
import { messageOf } from "../domain/errors.ts";
import { errnoOf } from "../domain/io_errors.ts";
import {
  RegistryError,
  type RegistryFacts,
  type RegistryReason,
  shortened,
  target,
} from "./failure.ts";

interface Kind {
  /** Codes of Node.js, OpenSSL and libuv; one that ends with `_` stands for all that begin so. */
  on: readonly string[];
  /** `host` is HOST[:PORT], `work` as in `while a blob was sent`. */
  text?: (host: string, work: string) => string;
  reason?: RegistryReason;
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
    hint: "name the authority that signed the registry's certificate, or have it renewed",
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
    text: (host, work) => `${host} closed the connection${work}`,
    hint: "see the log of the registry and of a proxy before it",
  },
];

/** The end of a connection that no error announced. */
export function connectionClosed(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" });
}

export function broken(method: string, url: URL, cause: unknown): RegistryError {
  const code = errnoOf(cause);
  const words = wordsOf(cause) || code;
  const name = code.replace(/^ERR_SSL_\w+?_ALERT_/, alertPrefix);
  const kind: Omit<Kind, "on"> = kinds.find(({ on }) => on.some((one) => isCode(name, one))) ?? {};
  const known = kind.text?.(url.host, workOf(method, url));
  const text = known === undefined ? words || "the connection ended" : said(known, words);
  const facts: RegistryFacts = {
    cause,
    isTransient: kind.lasts !== true,
    ...(kind.hint === undefined ? {} : { hint: kind.hint }),
  };
  const message = `${target(method, url)}: ${shortened(text)}`;
  return new RegistryError(kind.reason ?? "reset", message, facts);
}

function isCode(code: string, listed: string): boolean {
  return listed.endsWith("_") ? code.startsWith(listed) : code === listed;
}

/** The purpose of a request of the distribution-spec. */
const works: readonly [RegExp, string][] = [
  [/^HEAD .*\/blobs\//, "a blob was looked for"],
  [/^HEAD .*\/manifests\//, "a manifest was looked for"],
  [/^POST .*\/blobs\/uploads\//, "an upload was begun"],
  [/^(?:PUT|PATCH) .*\/blobs\/uploads\//, "a blob was sent"],
  [/^GET .*\/blobs\/(?!uploads\/)/, "a blob was read"],
  [/^PUT .*\/manifests\//, "a manifest was sent"],
  [/^GET .*\/manifests\//, "a manifest was read"],
  [/^GET .*\/referrers\//, "the referrers were listed"],
];

function workOf(method: string, { pathname }: URL): string {
  const found = works.find(([on]) => on.test(`${method} ${pathname}`));
  return found === undefined ? "" : ` while ${found[1]}`;
}

function said(known: string, words: string): string {
  return words === "" ? known : `${known} (${words})`;
}

/** Connecting to several addresses fails with an error for each and no message of its own. */
function wordsOf(cause: unknown): string {
  return cause instanceof AggregateError && cause.message === ""
    ? cause.errors.map(messageOf).join("; ")
    : messageOf(cause);
}
