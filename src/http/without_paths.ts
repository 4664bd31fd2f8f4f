/**
 * Removes local paths from texts for tenants: where files lie is for the operator, who has the log.
 * The last part of a path stays, because tenants know it.
 */
import { basename } from "node:path";
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
  return text.replace(quoted, (_, mark: string, path: string) => `${mark}${lastPart(path)}${mark}`)
    .replace(bare, lastPart);
}

/** With what follows it in the sentence. */
function lastPart(path: string): string {
  const [end = ""] = /[.:]*$/.exec(path) ?? [];
  const name = basename(path.slice(0, path.length - end.length));
  return (name === "" ? "/" : name) + end;
}

/** Fields of an error and its findings that are texts; `path` begins at its source already. */
const texts = new Set(["message", "hint", "found", "expected"]);

/** Why an export failed, as its tenant is told: without local paths and command-line options. */
export function shownError(error: JobError): JobError {
  return JSON.parse(JSON.stringify(error, (key, value) => {
    if (!texts.has(key) || typeof value !== "string") return value;
    return withoutPaths(key === "hint" ? withFieldNames(value) : value);
  }));
}

/** Options whose field in the configuration or the API has another name than theirs. */
const fieldNames: Readonly<Record<string, string>> = {
  "client-cert": "clientCertificate",
  "credentials": "credentialsFile",
  "input": "sources",
};

/** Clients of the API have no options: hints name fields. A command in backticks stays. */
function withFieldNames(hint: string): string {
  return hint.replace(/`stella [^`]*`|--([a-z][a-z-]*[a-z])/g, (all, option?: string) => {
    if (option === undefined) return all;
    return fieldNames[option] ?? option.replace(/-(.)/g, (_, next) => next.toUpperCase());
  });
}
