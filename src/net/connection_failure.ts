/**
 * Explains a request that failed without a response: what happened to the connection, to which
 * host, and what may help.
 */
import { errnoOf, messageOf } from "../domain/errors.ts";
import {
  RegistryError,
  type RegistryFacts,
  type RegistryReason,
  shortened,
  target,
} from "./failure.ts";

interface Kind {
  /** Matched against the error's code, then against its message. */
  on: RegExp;
  /** `host` is HOST[:PORT], `work` as in `while a blob was sent`. */
  text?: (host: string, work: string) => string;
  reason?: RegistryReason;
  hint?: string;
  /** Permanent failures are not retried; most are transient. */
  lasts?: boolean;
}

const kinds: readonly Kind[] = [
  {
    on: /^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA)/,
    reason: "auth",
    hint: "name the authority that signed the registry's certificate, or have it renewed",
    lasts: true,
  },
  {
    on: /fatal alert: (?:\w*Certificate\w*|UnknownCA|AccessDenied)/,
    reason: "auth",
    hint: "name a client certificate that the registry accepts: --client-cert and --client-key",
    lasts: true,
  },
  {
    on: /^(?:ENOTFOUND|ENODATA|EAI_NODATA|EAI_NONAME)$/,
    text: (host) => `no address is known for ${host}`,
    hint: "check the registry's host name",
    lasts: true,
  },
  {
    on: /^EAI_AGAIN$/,
    text: (host) => `the name server does not answer for ${host}`,
    hint: "check this machine's name server, and the registry's host name",
  },
  { on: /^ETIMEDOUT$/, reason: "timeout" },
  {
    on: /^ERR_SSL_WRONG_VERSION_NUMBER$|InvalidContentType/,
    text: (host) => `${host} does not speak TLS`,
    hint: "use --plain-http, or plainHttp in the configuration, for a registry without TLS",
  },
  { on: /^HPE_/, text: (host) => `${host} does not speak HTTP`, hint: "check host and port" },
  {
    on: /^ECONNREFUSED$/,
    text: (host) => `${host} refused the connection`,
    hint: "check host and port, and that the registry is running",
  },
  {
    on: /^(?:EHOSTUNREACH|ENETUNREACH|ENETDOWN|EHOSTDOWN)$/,
    text: (host) => `${host} cannot be reached from this network`,
  },
  {
    on: /^(?:ECONNRESET|EPIPE|ECONNABORTED)$|connection was closed|socket hang up/,
    text: (host, work) => `${host} closed the connection${work}`,
    hint: "see the log of the registry and of a proxy before it, then run the command again",
  },
];

export function broken(method: string, url: URL, cause: unknown): RegistryError {
  const code = errnoOf(cause);
  const words = wordsOf(cause) || code;
  const kind = kinds.find(({ on }) => on.test(code) || on.test(words)) ?? { on: /./ };
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
