/** A provider of risk data in stella.yaml. */
import * as z from "zod";
import { urlFault } from "../domain/reference.ts";
import { absolutePath, sha256Text } from "./registry_schema.ts";

/** A day or a time in the file; stored as a time in whole seconds, as in a manifest. */
const asOf = z.string().transform((value, context): string => {
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?$/.test(value);
  const time = Date.parse(value);
  const seconds = isDate && Number.isFinite(time) ? new Date(time).toISOString() : undefined;
  if (seconds !== undefined) return `${seconds.slice(0, 19)}Z`;
  context.addIssue({ code: "custom", message: "must be a date YYYY-MM-DD or a time of RFC 3339" });
  return z.NEVER;
});

const bytesRange = "must be a number of bytes from 1 to 1099511627776";

export const providerSchema = z.strictObject({
  kind: z.enum(["kev", "osv", "epss", "csaf"], "must be kev, osv, epss or csaf"),
  path: absolutePath.exactOptional(),
  url: z.string().exactOptional(),
  sha256: sha256Text.exactOptional(),
  ca: absolutePath.exactOptional(),
  licence: z.string().min(1).max(200).exactOptional(),
  asOf: asOf.exactOptional(),
  onInvalid: z.enum(["fail", "skip"], "must be fail or skip").default("fail"),
  maxRecordBytes: z.int(bytesRange).min(1, bytesRange).max(2 ** 40, bytesRange).exactOptional(),
}).superRefine(({ path, url, sha256, ca }, context) => {
  const add = (at: string[], message: string) =>
    context.addIssue({ code: "custom", path: at, message });
  if ((path === undefined) === (url === undefined)) return add([], "must have either path or url");
  if (url === undefined) {
    if (sha256 !== undefined) add(["sha256"], "needs url");
    if (ca !== undefined) add(["ca"], "needs url");
    return;
  }
  const fault = fileUrlFault(url);
  if (fault !== undefined) add(["url"], fault);
  if (sha256 === undefined) add(["url"], "must be pinned: give sha256 of its content");
});

function fileUrlFault(text: string): string | undefined {
  const fault = urlFault(text);
  if (fault === "form") return "must be https://HOST[:PORT]/PATH";
  if (fault === "credentials") return "must not hold credentials";
  return new URL(text).pathname.endsWith("/") ? "must name a file" : fault && "must be https";
}
