/**
 * Inserts the site's addresses into assets: links in alerts must be absolute, and no address may be
 * built in, so the committed rules have placeholders that never resolve (RFC 6761, .invalid).
 */

export const placeholders = { base: "http://stella.invalid", grafana: "http://grafana.invalid" };

export interface SiteAddresses {
  /** The public address of this stella, without a trailing `/`. */
  base?: string;
  grafana?: string;
}

/** Replaces the known addresses; the others stay placeholders. */
export function withAddresses(text: string, { base, grafana }: SiteAddresses): string {
  return text
    .replaceAll(placeholders.base, () => base ?? placeholders.base)
    .replaceAll(placeholders.grafana, () => grafana ?? placeholders.grafana);
}

/** Undefined if `text` is not a plain http(s) address that is safe in a link and in YAML. */
export function siteAddress(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  return url.href.replace(/\/+$/, "");
}
