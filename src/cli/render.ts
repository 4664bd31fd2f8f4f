/** Errors, findings and verdicts as text and JSON; text of a bundle is escaped here. */
import { exitCodes, type Finding, messageOf, StellaError } from "../domain/errors.ts";
import { uncaughtIoError } from "../domain/io_errors.ts";
import { escaped } from "../domain/names.ts";
import type { Note, Verdict } from "../verify/verdict.ts";
import type { Host, Paint } from "./host.ts";

/** An error of any kind as a StellaError; an unexpected one is a defect. */
export function asStellaError(thrown: unknown): StellaError {
  if (thrown instanceof StellaError) return thrown;
  return uncaughtIoError(thrown) ??
    new StellaError("defect", `Unexpected error: ${messageOf(thrown)}`, {
      cause: thrown,
      hint: "this is a defect of stella: please report it with the command that you ran",
    });
}

const plain: Paint = (_, text) => text;

/** By `--color` and, where that is auto, by the terminal and NO_COLOR (no-color.org). */
export function painter(
  when: string,
  stream: "stdout" | "stderr",
  { isTerminal, environment }: Pick<Host, "isTerminal" | "environment">,
): Paint {
  const isAuto = () =>
    isTerminal(stream) && !environment("NO_COLOR") && environment("TERM") !== "dumb";
  if (when === "never" || (when === "auto" && !isAuto())) return plain;
  return (tone, text) => `\x1b[${tone === "good" ? 32 : 31}m${text}\x1b[0m`;
}

export function errorText(error: StellaError, paint = plain): string {
  return [
    `${paint("bad", "error:")} ${escaped(error.message)} (code ${error.exitCode})`,
    ...error.findings.map(findingText),
    ...error.hint === undefined ? [] : [`hint:  ${escaped(error.hint)}`],
  ].join("\n") + "\n";
}

export function errorJson(command: string, error: StellaError) {
  return {
    command,
    ok: false,
    code: error.exitCode,
    error: errorFields(error),
    findings: error.findings.map(findingJson),
  };
}

/** Kind and reason are what a script compares; see src/docs/errors.md. */
export function errorFields({ kind, reason, message, hint }: StellaError) {
  return { kind, reason, message, hint };
}

/** The finding as scripts read it: its code as the number. */
export function findingJson(finding: Finding): unknown {
  const { kind, ...rest } = finding;
  return { code: exitCodes[kind], ...rest };
}

export function findingText(finding: Finding): string {
  const place = placeOf(finding);
  const reason = place === "" ? finding.reason : `${finding.reason}: ${place}`;
  const lines = [`  [${exitCodes[finding.kind]}] ${reason}`];
  if (finding.found !== undefined) lines.push(`      found     ${escaped(finding.found)}`);
  if (finding.expected !== undefined) lines.push(`      expected  ${escaped(finding.expected)}`);
  if (finding.hint !== undefined) lines.push(`      fix       ${escaped(finding.hint)}`);
  return lines.join("\n");
}

/** A finding below a line of a list. */
export function findingLine(finding: Finding): string {
  const parts = [placeOf(finding), escaped(finding.found ?? finding.reason)];
  return `    ${parts.filter((part) => part !== "").join(": ")}\n`;
}

function placeOf({ path, range, line }: Finding): string {
  return [
    path === undefined ? "" : escaped(path),
    range === undefined ? "" : `bytes ${range[0]} to ${range[1]}`,
    line === undefined ? "" : `line ${line}`,
  ].filter((part) => part !== "").join(", ");
}

/** `ok` and `code` are written in front of every result. */
export function verdictJson(of: Verdict) {
  const { verdict, bundle, signer, trustFromMedia, claimedKeyid, rollback, notes } = of;
  const findings = of.findings.map(findingJson);
  const who = { signer, trustFromMedia, claimedKeyid };
  return { verdict, bundle, ...who, rollback, filesVerified: of.filesVerified, findings, notes };
}

export function verdictText(verdict: Verdict, paint = plain): string {
  const { bundle, signer, findings, notes = [] } = verdict;
  const head = verdict.ok
    ? paint("good", verdict.verdict)
    : `${paint("bad", "REFUSED")} (code ${verdict.code})`;
  const lines = bundle === undefined ? [head] : [
    `${head}  ${bundle.profile} of ${bundle.created}`,
    `  payload   ${filesOf(verdict, bundle)}`,
    `  digest    sha256:${bundle.bundleDigest}`,
    ...sequenceLines(verdict),
  ];
  if (signer !== undefined) lines.push(`  signed by ${escaped(signer.name)} (${signer.keyid})`);
  const noProof = "this does not prove who made the bundle.";
  if (verdict.trustFromMedia) {
    lines.push(`  Keys from the bundle's own medium were trusted (--trust-from-media): ${noProof}`);
  }
  if (verdict.verdict === "integrity-only") {
    lines.push(`  Only integrity was checked (--integrity-only): ${noProof}`);
  }
  return [...lines, ...findings.map(findingText), ...notes.map(noteText)].join("\n") + "\n";
}

/** Nothing where a bundle has no sequence and nobody asked. */
export function sequenceLines({ bundle, rollback }: Verdict): string[] {
  const sequence = bundle?.sequence ?? "none";
  if (rollback === undefined) return sequence === "none" ? [] : [`  sequence  ${sequence}`];
  const { judged, lastSequence, accepted } = rollback;
  if (!judged) {
    return [`  sequence  ${sequence} (rollback not judged: no earlier one is known here)`];
  }
  const how = accepted ? "accepted by --accept-sequence; last" : "last";
  return [`  sequence  ${sequence} (${how} known here: ${lastSequence})`];
}

function noteText(note: Note): string {
  if (note.reason === "not_searched") {
    return "  note      the manifest's directory has too many files to list those that do not belong to the bundle";
  }
  return "path" in note
    ? `  note      ${escaped(note.path)} is not listed in the manifest and was not verified`
    : `  note      ${plural(note.more, "more file")} beside the manifest: not listed, not verified`;
}

function filesOf(verdict: Verdict, bundle: NonNullable<Verdict["bundle"]>): string {
  const total = plural(bundle.files, "file");
  if (verdict.filesVerified === bundle.files) {
    return `${total}, ${sizeText(bundle.bytes)}, all digests match`;
  }
  return `${verdict.filesVerified} of ${total} with a matching digest`;
}

export function plural(count: number, noun: string): string {
  // Not toLocaleString, which loads ICU's number formats: a tenth of the time of a small
  // verification.
  const digits = String(count).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${digits} ${noun}${count === 1 ? "" : "s"}`;
}

/** Bytes in binary units, three digits: `13.7 MiB`. */
export function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}
