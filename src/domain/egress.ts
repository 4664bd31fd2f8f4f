/**
 * The egress policy. Every outgoing connection by configuration or command (registries, downloads
 * of risk data, the trace collector) is checked here first. A sealed site allows only the listed
 * hosts; others are refused before the name is resolved, and the refusal is reported.
 *
 * The requested name is compared, not its address: the transport resolves once and connects to
 * exactly that address. Connections to stella's own service (`stella status`, `health`) are exempt.
 */
import { isIP } from "node:net";
import { hostLabel } from "./reference.ts";
import { finding, StellaError } from "./errors.ts";

export interface EgressConfig {
  /** Only listed destinations are allowed. */
  sealed: boolean;
  /** Entries that `egressFault` accepts. */
  allow: readonly string[];
}

/** Throws if `hostname:port` is not allowed; the hostname as in URL, IPv6 without brackets. */
export type EgressPolicy = (hostname: string, port: number) => void;

interface Rule {
  /** For a wildcard: the domain with its leading dot, without the star. */
  host: string;
  below: boolean;
  port: number | undefined;
}

/** Why `entry` is not valid in `allow`, or undefined. */
export function egressFault(entry: string): string | undefined {
  if (ruleOf(entry) !== undefined) return undefined;
  if (entry.includes("/")) return "must be HOST[:PORT], without scheme and path";
  return "must be HOST[:PORT], [IPV6][:PORT] or *.DOMAIN[:PORT]";
}

/** Whether connections to `hostname:port` are allowed. */
export function isAllowed({ sealed, allow }: EgressConfig, hostname: string, port: number) {
  if (!sealed) return true;
  const name = hostname.toLowerCase();
  return allow.some((entry) => {
    const rule = ruleOf(entry);
    if (rule === undefined || (rule.port ?? port) !== port) return false;
    return rule.below ? name.endsWith(rule.host) && isIP(name) === 0 : name === rule.host;
  });
}

/** The policy of a configuration; `onRefused` is called before each refusal is thrown. */
export function egressPolicy(
  egress: EgressConfig,
  onRefused: (hostname: string, port: number) => void = () => {},
): EgressPolicy {
  return (hostname, port) => {
    if (isAllowed(egress, hostname, port)) return;
    onRefused(hostname, port);
    const where = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`;
    throw new StellaError("egress_refused", `Cannot connect to ${where}: this site is sealed`, {
      hint: `add "${where}" to egress.allow in the configuration, if it is meant to be reached`,
      findings: [finding("egress_refused", { found: where })],
    });
  };
}

const entryPattern = new RegExp(
  `^(?:(\\*\\.)?(${hostLabel}(?:\\.${hostLabel})*)|\\[([0-9a-f:.]+)\\])(?::(\\d{1,5}))?$`,
);

function ruleOf(entry: string): Rule | undefined {
  const [, star, name, six, port] = entryPattern.exec(entry.toLowerCase()) ?? [];
  const host = six ?? name;
  const number = port === undefined ? undefined : Number(port);
  if (host === undefined || (number !== undefined && (number < 1 || number > 65535))) return;
  // A spelling that URL rewrites (127.1, 0x7f.1, 1:0::1) would never match.
  const written = six === undefined ? host : `[${six}]`;
  if (URL.parse(`http://${written}`)?.hostname !== written) return undefined;
  if (star !== undefined && isIP(host) !== 0) return undefined;
  const below = star !== undefined;
  return { host: below ? `.${host}` : host, below, port: number };
}
