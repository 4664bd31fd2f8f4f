/**
 * Removes local paths from texts for tenants: where the service stores its files is for its
 * operator, who finds full errors in the log. The last part of a path stays, because tenants know
 * it.
 */
import { basename } from "node:path";
import type { FindingRecord } from "../domain/errors.ts";
import type { JobError } from "../jobs/job.ts";

/** A quoted path in a message; it may contain blanks. */
const quoted = /(["'`])(\/(?:\\.|(?!\1).)*)\1/g;
/**
 * A path by itself, and a file URL. What follows a letter, a digit or one of `.]})*` is part of
 * something else, such as `registry.site:5000/exports`; `/v1/` and `/v2/` are the APIs of the
 * service and of registries; `/dev`, `/proc` and `/sys` by themselves are on every machine.
 */
const bare =
  /file:\/\/[^\s"'`]*|(?<![\w/.\]})*])\/(?!\/|v[12]\/|(?:dev|proc|sys)(?![\w/.-]))[^\s"'`()<>,;]+/g;

export function withoutPaths(text: string): string {
  return text
    .replace(quoted, (_, mark: string, path: string) => `${mark}${lastPart(path)}${mark}`)
    .replace(bare, lastPart);
}

/** With what follows it in the sentence. */
function lastPart(path: string): string {
  const [end = ""] = /[.:]*$/.exec(path) ?? [];
  const name = basename(path.slice(0, path.length - end.length));
  return (name === "" ? "/" : name) + end;
}

/** Why an export failed, as its tenant is told. */
export function shownError({ message, hint, findings, ...rest }: JobError): JobError {
  return {
    ...rest,
    message: withoutPaths(message),
    ...(hint === undefined ? {} : { hint: withoutPaths(hint) }),
    ...(findings === undefined ? {} : { findings: findings.map(shownFinding) }),
  };
}

/** `path` begins at its source already; see jobs/job_error.ts. */
function shownFinding({ found, expected, hint, ...rest }: FindingRecord): FindingRecord {
  return {
    ...rest,
    ...(found === undefined ? {} : { found: withoutPaths(found) }),
    ...(expected === undefined ? {} : { expected: withoutPaths(expected) }),
    ...(hint === undefined ? {} : { hint: withoutPaths(hint) }),
  };
}
