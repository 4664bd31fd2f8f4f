/**
 * Rules of Prometheus as text, in the subset of the format that 2.42 reads and 3.x still does. Durations are asked for from a
 * clock, so that the same rules can be rendered to run sixty times as fast and be tried with real faults in minutes.
 */
import { placeholders } from "../../src/assets/site_addresses.ts";

export interface Recording {
  /** Why it is as it is: a comment above the rule. */
  why?: string;
  record: string;
  /** May have several lines; they are joined by spaces. */
  expr: string;
}

export interface Alert {
  why?: string;
  alert: string;
  expr: string;
  /** How long it must be so; absent: once is enough. */
  for?: string;
  severity: "critical" | "warning" | "info";
  /** One fixed sentence, with a full stop. */
  summary: string;
  /** The case at hand, by templates. */
  description: string;
}

export interface Group {
  name: string;
  rules: (Recording | Alert)[];
}

export interface Clock {
  /** A duration such as `10m`, as Prometheus writes it. */
  span(text: string): string;
  /** A number of seconds inside an expression. */
  seconds(count: number): string;
}

export const realTime: Clock = { span: (text) => text, seconds: (count) => String(count) };

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Everything in a sixtieth of its time. */
export const sixtyfold: Clock = {
  span: (text) => {
    const [, count, unit = ""] = /^(\d+)([smhd])$/.exec(text) ?? [];
    const seconds = Number(count) * (unitSeconds[unit] ?? NaN) / 60;
    if (!Number.isInteger(seconds)) throw new Error(`Cannot render ${text} sixty times as fast`);
    return `${seconds}s`;
  },
  seconds: (count) => String(count / 60),
};

/** The text of a rules file: `head` as comments, then the groups. */
export function rulesText(head: string, groups: readonly Group[]): string {
  return `${comment(head, "")}groups:\n${groups.map(groupText).join("\n")}`;
}

function groupText({ name, rules }: Group): string {
  const texts = rules.map((rule) => "alert" in rule ? alertText(rule) : recordingText(rule));
  return `  - name: ${name}\n    rules:\n${texts.join("\n")}`;
}

function recordingText({ why, record, expr }: Recording): string {
  return `${comment(why, "      ")}      - record: ${record}\n${folded("        expr", expr)}`;
}

function alertText(rule: Alert): string {
  const { why, alert, expr, severity, summary, description } = rule;
  if (/: |#/.test(summary)) throw new Error(`Cannot write the summary of ${alert} as plain YAML`);
  return [
    comment(why, "      "),
    `      - alert: ${alert}\n`,
    folded("        expr", expr),
    rule.for === undefined ? "" : `        for: ${rule.for}\n`,
    `        labels:\n          severity: ${severity}\n`,
    `        annotations:\n          summary: ${summary}\n`,
    folded("          description", description),
    `          runbook_url: ${placeholders.base}/runbook/${alert}\n`,
    `          dashboard_url: ${placeholders.grafana}/d/export-center\n`,
  ].join("");
}

/** A block scalar: whatever is in the text, none of it is syntax of YAML. */
function folded(key: string, text: string): string {
  const indent = " ".repeat(key.search(/\S/) + 2);
  return `${key}: >-\n${lines(text).map((line) => `${indent}${line}\n`).join("")}`;
}

function comment(text: string | undefined, indent: string): string {
  if (text === undefined) return "";
  return text.trim().split("\n").map((line) => `${indent}# ${line.trim()}`.trimEnd() + "\n").join(
    "",
  );
}

function lines(text: string): string[] {
  return text.trim().split("\n").map((line) => line.trim());
}
