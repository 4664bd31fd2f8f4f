/** Inserts the site's addresses; committed files have placeholders that never resolve (.invalid). */

export const placeholders = { base: "http://stella.invalid", grafana: "http://grafana.invalid" };

export interface SiteAddresses {
  /** The public address of this stella, without a trailing `/`. */
  base?: string;
  grafana?: string;
}

/** Replaces the known addresses; the others stay placeholders. */
export function withAddresses(text: string, { base, grafana }: SiteAddresses): string {
  return text.replaceAll(placeholders.base, () => base ?? placeholders.base)
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
