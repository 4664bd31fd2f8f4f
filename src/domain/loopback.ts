/** Hosts that are this machine: 127.0.0.0/8, ::1 and localhost. Names are not resolved. */
import { isIP } from "node:net";

/** @param host a name or an address, IPv6 with or without brackets */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  if (isIP(address) === 4) return address.startsWith("127.");
  if (isIP(address) !== 6) return host === "localhost";
  return URL.parse(`http://[${address}]`)?.hostname === "[::1]";
}

/** As `isLoopback`, of a host as a URL or a Host header has it, with or without a port. */
export function isLoopbackHost(host: string): boolean {
  const url = URL.parse(`http://${host}/`);
  if (url === null || url.href !== `http://${url.host}/`) return false;
  return isLoopback(url.hostname);
}
