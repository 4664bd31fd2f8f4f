/**
 * Why a job failed, as its owner is told: in the API, in the timeline and in the log. It is kept with the job, shown in lists of
 * hundreds and read by the tenants, so it is bounded, and what it lists names no place of this machine.
 */
import { basename, isAbsolute } from "node:path";
import { type Finding, messageOf, StellaError } from "../domain/errors.ts";
import type { JobError } from "./job.ts";

/** Findings that are kept, and the characters of JSON that they come to together: a list of 500 jobs has to stay readable. */
const maxFindings = 20;
const maxText = 4_096;
/** Characters of one text of a finding; more than the longest file name has. And of a message, which may tell of several. */
const maxTextLength = 300;
const maxMessageLength = 2_000;

/** A failure without a code is ours, and so is its text. */
export function jobError(thrown: unknown): JobError {
  const message = cut(messageOf(thrown), maxMessageLength);
  if (!(thrown instanceof StellaError)) return { code: "internal", message };
  const { code, hint } = thrown;
  const findings = someOf(thrown.findings);
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint: cut(hint, maxMessageLength) }),
    ...(findings.length === 0 ? {} : { findings }),
  };
}

/** The first ones, and one more that counts those that are left out. */
function someOf(all: readonly Finding[]): Finding[] {
  const telling = all.filter(saysMore);
  const kept: Finding[] = [];
  let left = maxText;
  for (const finding of telling.slice(0, maxFindings).map(shortened)) {
    left -= JSON.stringify(finding).length;
    if (left < 0 && kept.length > 0) break;
    kept.push(finding);
  }
  const more = telling.length - kept.length;
  return more === 0 ? kept : [...kept, leftOut(telling[kept.length]!, more)];
}

/** One with a reason alone is a mark for programs: its message has said it. */
function saysMore({ path, line, found, expected }: Finding): boolean {
  return [path, line, found, expected].some((part) => part !== undefined);
}

/** As verification words it. */
function leftOut({ code }: Finding, more: number): Finding {
  const what = more === 1 ? "1 more finding is" : `${more} more findings are`;
  return { code, reason: "more_findings", found: `${what} not listed` };
}

function shortened(finding: Finding): Finding {
  const { path, found, expected, hint, ...rest } = withoutPlace(finding);
  return {
    ...rest,
    ...(path === undefined ? {} : { path: cutFront(path) }),
    ...(found === undefined ? {} : { found: cut(found) }),
    ...(expected === undefined ? {} : { expected: cut(expected) }),
    ...(hint === undefined ? {} : { hint: cut(hint) }),
  };
}

/** A file is named from its source on; of a source itself, or of any other path of this machine, the last part is left. */
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

/** The end of a path tells more than its beginning. */
function cutFront(path: string): string {
  return path.length > maxTextLength ? `...${path.slice(3 - maxTextLength)}` : path;
}
