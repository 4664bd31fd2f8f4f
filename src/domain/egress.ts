/**
 * The way out of this machine. Every connection that the program opens by configuration or by order (registries, downloads of
 * risk data, the collector of traces) asks here first. A sealed site lists the few hosts that it knows; all others are refused
 * before a name is resolved, and somebody hears of it.
 *
 * What is compared is the name that was asked for, not the address behind it: the transport resolves once and connects to
 * just that. Connections to stella's own service (`stella status`, `health`) do not leave and are not asked about.
 */
import { isIP } from "node:net";
import { StellaError } from "./errors.ts";

export interface EgressConfig {
  /** Nothing but what is on the list. */
  sealed: boolean;
  /** As `egressFault` takes them. */
  allow: readonly string[];
}

/** Throws where `hostname:port` may not be talked to. A hostname is as URL writes it, IPv6 without brackets. */
export type EgressPolicy = (hostname: string, port: number) => void;

export const openEgress: EgressConfig = { sealed: false, allow: [] };

interface Rule {
  /** Without the star and with the dot, where it stands for all names below a domain. */
  host: string;
  below: boolean;
  port: number | undefined;
}

/** Why `entry` cannot stand in `allow`, in words, or undefined. */
export function egressFault(entry: string): string | undefined {
  if (ruleOf(entry) !== undefined) return undefined;
  if (entry.includes("/")) return "must be HOST[:PORT], without scheme and path";
  return "must be HOST[:PORT], [IPV6][:PORT] or *.DOMAIN[:PORT]";
}

/** Whether `hostname:port` may be talked to. */
export function isAllowed({ sealed, allow }: EgressConfig, hostname: string, port: number) {
  if (!sealed) return true;
  const name = hostname.toLowerCase();
  return allow.some((entry) => {
    const rule = ruleOf(entry);
    if (rule === undefined || (rule.port ?? port) !== port) return false;
    return rule.below ? name.endsWith(rule.host) && isIP(name) === 0 : name === rule.host;
  });
}

/** The policy of a configuration; `onRefused` hears of every refusal before it is thrown. */
export function egressPolicy(
  egress: EgressConfig,
  onRefused: (hostname: string, port: number) => void = () => {},
): EgressPolicy {
  return (hostname, port) => {
    if (isAllowed(egress, hostname, port)) return;
    onRefused(hostname, port);
    const where = `${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`;
    throw new StellaError("policy", `Cannot connect to ${where}: this site is sealed`, {
      hint: `add "${where}" to egress.allow in the configuration, if it is meant to be reached`,
      findings: [{ code: "policy", reason: "egress_refused", found: where }],
    });
  };
}

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const entryPattern = new RegExp(
  `^(?:(\\*\\.)?(${label}(?:\\.${label})*)|\\[([0-9a-f:.]+)\\])(?::(\\d{1,5}))?$`,
);

function ruleOf(entry: string): Rule | undefined {
  const [, star, name, six, port] = entryPattern.exec(entry.toLowerCase()) ?? [];
  const host = six ?? name;
  const number = port === undefined ? undefined : Number(port);
  if (host === undefined || (number !== undefined && (number < 1 || number > 65535))) return;
  // What URL would rewrite (127.1, 0x7f.1, 1:0::1) would never match, and looks as if it did.
  const written = six === undefined ? host : `[${six}]`;
  if (URL.parse(`http://${written}`)?.hostname !== written) return undefined;
  if (star !== undefined && isIP(host) !== 0) return undefined;
  const below = star !== undefined;
  return { host: below ? `.${host}` : host, below, port: number };
}
