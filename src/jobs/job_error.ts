/**
 * Why a job failed, for its owner: in the API, the timeline and the log. It is stored with the job,
 * listed by the hundred and seen by tenants: limited in size, without local paths.
 */
import { basename, isAbsolute } from "node:path";
import { errorRecord, type Finding, type FindingRecord, StellaError } from "../domain/errors.ts";
import type { JobError } from "./job.ts";

/** Limits of the findings of a job: number, and JSON size in characters; lists have 500 jobs. */
const maxFindings = 20;
const maxText = 4_096;
/** Limits in characters: a text of a finding, longer than any file name; and a message. */
const maxTextLength = 300;
const maxMessageLength = 2_000;

/** An error without a code is a defect, and its text is our own. */
export function jobError(thrown: unknown): JobError {
  const { message, hint, ...rest } = errorRecord(thrown);
  const findings = thrown instanceof StellaError ? someOf(thrown.findings) : [];
  return {
    ...rest,
    message: cut(message, maxMessageLength),
    ...(hint === undefined ? {} : { hint: cut(hint, maxMessageLength) }),
    ...(findings.length === 0 ? {} : { findings }),
  };
}

/** The first findings, followed by one with the number of the others. */
function someOf(all: readonly Finding[]): FindingRecord[] {
  const telling = all.filter(saysMore);
  const kept: FindingRecord[] = [];
  let left = maxText;
  for (const finding of telling.slice(0, maxFindings).map(shortened)) {
    left -= JSON.stringify(finding).length;
    if (left < 0 && kept.length > 0) break;
    kept.push(finding);
  }
  const more = telling.length - kept.length;
  return more === 0 ? kept : [...kept, leftOut(telling[kept.length]!, more)];
}

/** A finding with only a reason is for programs: the message says the same. */
function saysMore({ path, line, found, expected }: Finding): boolean {
  return [path, line, found, expected].some((part) => part !== undefined);
}

/** Worded as in verification. */
function leftOut({ kind }: Finding, more: number): FindingRecord {
  const what = more === 1 ? "1 more finding is" : `${more} more findings are`;
  return { code: kind, reason: "more_findings", found: `${what} not listed` };
}

function shortened(finding: Finding): FindingRecord {
  const { kind, path, found, expected, hint, ...rest } = withoutPlace(finding);
  return {
    code: kind,
    ...rest,
    ...(path === undefined ? {} : { path: cutFront(path) }),
    ...(found === undefined ? {} : { found: cut(found) }),
    ...(expected === undefined ? {} : { expected: cut(expected) }),
    ...(hint === undefined ? {} : { hint: cut(hint) }),
  };
}

/** A file is named relative to its source; any other local path by its last part. */
function withoutPlace(finding: Finding): Finding {
  const { path, found } = finding;
  const name = path === undefined || !isAbsolute(path) ? "" : basename(path);
  if (path === undefined || name === "") return finding;
  if (found === undefined) return { ...finding, path: name };
  return { ...finding, path: name, found: found.replaceAll(path, name) };
}

function cut(text: string, maxLength = maxTextLength): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 3)}...` : text;
}

/** The end of a path says more than its start. */
function cutFront(path: string): string {
  return path.length > maxTextLength ? `...${path.slice(3 - maxTextLength)}` : path;
}
