/**
 * Addresses that are not on the public internet: RFC 6890 (private, shared, link-local, loopback
 * and unspecified), RFC 4193. A name that leads to one may mean a machine that only we can reach.
 */
import { BlockList, isIP } from "node:net";

const ranges: readonly [string, number, "ipv4" | "ipv6"][] = [
  ["0.0.0.0", 8, "ipv4"],
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["::", 127, "ipv6"],
  ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"],
];

const list = new BlockList();
for (const [address, prefix, family] of ranges) list.addSubnet(address, prefix, family);

/** @param address IPv6 without brackets */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  return list.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
}
