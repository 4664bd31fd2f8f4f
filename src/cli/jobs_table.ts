/** Prints exports of a running service: many as a table that fits the terminal, one in detail. */
import { timeOf } from "../domain/uuid.ts";
import { escaped } from "../domain/names.ts";
import { hasEnded, type RemoteExport } from "./remote_export.ts";
import { findingLine, plural, sizeText } from "./render.ts";

const minWidth = 80;

/** @param columns of the terminal; undefined: none @param now milliseconds since 1970 */
export function jobsTable(
  items: readonly RemoteExport[],
  now: number,
  columns: number | undefined,
): string {
  const width = Math.max(minWidth, columns ?? minWidth);
  const head = ["ID", "STATE", "AGE", "TOOK", "PROFILE"];
  const isOneTenant = new Set(items.map(({ tenant }) => tenant)).size <= 1;
  const rowOf = (one: RemoteExport) =>
    [
      one.id,
      one.state,
      ageText((now - timeOf(one.id)) / 1000),
      tookText(one, now),
      isOneTenant ? one.profile : `${one.tenant}/${one.profile}`,
    ].map(escaped);
  const rows = items.map(rowOf);
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0))
  );
  const lineOf = (cells: readonly string[]) =>
    cut(cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd(), width);
  const below = ({ error }: RemoteExport) =>
    error === undefined ? [] : [
      escaped(`    ${error.code}: ${error.message}`),
      ...error.findings.map((one) => findingLine(one).trimEnd()),
    ].map((line) => cut(line, width));
  const lines = items.flatMap((one) => [lineOf(rowOf(one)), ...below(one)]);
  return [lineOf(head), ...lines].map((line) => `${line}\n`).join("");
}

function askedBy({ actor, trigger }: RemoteExport): string | undefined {
  if (!actor) return trigger;
  return trigger ? `${actor} (${trigger})` : actor;
}

export function exportText(one: RemoteExport): string {
  const { id, state, error, files, bytes, bundleDigest, attempts, seconds } = one;
  const facts: [string, string | undefined][] = [
    ["profile", one.profile],
    ["tenant", one.tenant],
    ["asked by", askedBy(one)],
    ["created", one.createdAt ?? new Date(timeOf(one.id)).toISOString()],
    ["started", one.startedAt],
    ["ended", one.endedAt],
    ["took", seconds !== undefined ? durationText(seconds) : undefined],
    ["attempts", attempts === undefined ? undefined : String(attempts)],
    ["payload", files !== undefined ? plural(files, "file") : undefined],
    ["bundle", bytes !== undefined ? sizeText(bytes) : undefined],
    ["digest", bundleDigest === undefined ? undefined : `sha256:${bundleDigest}`],
    ["same as", one.sameAs],
    ["error", error === undefined ? undefined : `${error.code}: ${error.message}`],
    ["hint", error?.hint],
  ];
  const lines = facts.filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `  ${name.padEnd(8)}  ${value}`);
  return [`${id}  ${state}`, ...lines].map((line) => `${escaped(line)}\n`).join("") +
    (error?.findings ?? []).map(findingLine).join("");
}

function tookText(one: RemoteExport, now: number): string {
  if (one.seconds !== undefined) return durationText(one.seconds);
  const started = Date.parse(one.startedAt ?? "");
  return hasEnded(one) || Number.isNaN(started) ? "" : durationText((now - started) / 1000);
}

/** In the largest unit: `45s`, `12m`, `3h`, `80d`. */
export function ageText(seconds: number): string {
  const units: [string, number][] = [["d", 86_400], ["h", 3_600], ["m", 60]];
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.max(0, Math.floor(seconds / size))}${unit}`;
}

/** In two units: `0.4s`, `45s`, `3m12s`, `2h5m`. */
export function durationText(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h${Math.floor(whole % 3600 / 60)}m`;
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 3)}...` : text;
}
