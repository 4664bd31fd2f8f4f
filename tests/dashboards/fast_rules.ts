/** The shipped rules with every duration shortened, for tests with real failures within minutes. */

const unitSeconds: Record<string, number> = { m: 60, h: 3600, d: 86_400 };

/** Numbers of seconds inside expressions, with the surrounding text. */
const seconds: Record<string, string> = {
  "_seconds + 7200)": "_seconds + 120)",
  ", 28800)": ", 480)",
  "p95_30m > 10\n": `p95_30m > ${10 / 60}\n`,
};

function sixtieth(span: string): string {
  return `${Number(span.slice(0, -1)) * (unitSeconds[span.slice(-1)] ?? NaN) / 60}s`;
}

/**
 * The text of a rules file with every duration divided by 60: ranges, offsets, waits and numbers of
 * seconds. Names and texts are unchanged. `shorter` overrides some durations.
 */
export function sixtyfold(rules: string, shorter: Readonly<Record<string, string>> = {}): string {
  const spans = rules.replaceAll(
    /(?<=\[|\boffset |\bfor: )\d+[mhd]\b/g,
    (span) => shorter[span] ?? sixtieth(span),
  );
  return Object.entries(seconds).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`Cannot shorten "${from}": no rule has it`);
    return text.replaceAll(from, to);
  }, spans);
}
