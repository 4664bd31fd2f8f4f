/**
 * Reads as much of PromQL as the tests need: which series a query names, with which matchers, and
 * which labels it groups by.
 */

export interface Selector {
  series: string;
  /** `{...}` verbatim, or empty. */
  matchers: string;
}

const keywords = new Set(["and", "or", "unless", "offset", "bool"]);
const grouping = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)/g;

/**
 * The query with the content of its strings blanked, which keeps all offsets, so that no text in a
 * string is parsed as syntax.
 */
function masked(expr: string): string {
  return expr.replaceAll(
    /"(?:[^"\\]|\\.)*"/g,
    (text) => `"${"x".repeat(Math.max(0, text.length - 2))}"`,
  );
}

const blank = (text: string) => " ".repeat(text.length);

export function selectors(expr: string): Selector[] {
  const bare = masked(expr).replaceAll(grouping, blank).replaceAll(/\[[^\]]*\]/g, blank);
  const found = bare.matchAll(/(?<![\w:$.])([A-Za-z_:][\w:]*)\s*(\{[^}]*\})?(?![\w:]|\s*\()/g);
  const outside = bare.replaceAll(/\{[^}]*\}/g, blank);
  return [...found]
    .filter((one) => outside.startsWith(one[1] ?? "", one.index) && !keywords.has(one[1] ?? ""))
    .map((one) => ({
      series: one[1] ?? "",
      matchers: one[2] === undefined
        ? ""
        : expr.slice(one.index + one[0].length - one[2].length, one.index + one[0].length),
    }));
}

/** Labels after by, on and similar keywords. */
export function groupingLabels(expr: string): string[] {
  return [...masked(expr).matchAll(grouping)]
    .flatMap((one) => (one[1] ?? "").split(","))
    .map((label) => label.trim())
    .filter((label) => label !== "");
}

/** Labels that matchers refer to. */
export function matchedLabels(selector: Selector): string[] {
  return [...masked(selector.matchers).matchAll(/([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)/g)]
    .map((one) => one[1] ?? "");
}

/** A query of the dashboard with Grafana's variables filled in, so that Prometheus can parse it. */
export function filled(expr: string): string {
  return expr
    .replaceAll("$__rate_interval", "75s")
    .replaceAll("$window", "1h")
    .replaceAll(/\$(job|instance|profile)\b/g, ".+");
}
