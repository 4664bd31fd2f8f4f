/**
 * The addresses of the site in what is written out: links in alerts have to be absolute to be clickable, and no address may
 * be baked in, so the committed rules hold placeholders that resolve nowhere (RFC 6761, .invalid).
 */

export const placeholders = { base: "http://stella.invalid", grafana: "http://grafana.invalid" };

export interface SiteAddresses {
  /** Where people reach this stella, without a `/` at the end. */
  base?: string;
  grafana?: string;
}

/** The text with the addresses that are known; the others stay placeholders. */
export function withAddresses(text: string, { base, grafana }: SiteAddresses): string {
  return text
    .replaceAll(placeholders.base, () => base ?? placeholders.base)
    .replaceAll(placeholders.grafana, () => grafana ?? placeholders.grafana);
}

/** Undefined where `text` is no plain http(s) address that could stand in a link and in YAML. */
export function siteAddress(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  return url.href.replace(/\/+$/, "");
}
