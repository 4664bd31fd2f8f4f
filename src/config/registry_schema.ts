/** A registry in stella.yaml. */
import { isAbsolute } from "node:path";
import * as z from "zod";
import { sha256Hex } from "../domain/hash.ts";
import { egressFault } from "../domain/egress.ts";
import { isAuthority, urlFault } from "../domain/reference.ts";

/** Paths are absolute, because a service has no meaningful working directory. */
export const absolutePath = z.string().refine(isAbsolute, "must be an absolute path");

export const sha256Text = z.string().regex(sha256Hex, "must be 64 lowercase hex digits");

/** As in `egress.allow`. */
export const hostEntry = z.string().superRefine((entry, context) => {
  const message = egressFault(entry);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

const credential = z.string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "must be the name of a credential");

/** One value of `registries`, parsed to a RegistryConfig without its name. */
export const registrySchema = z.strictObject({
  url: z.string(),
  serves: z.string().refine(isAuthority, "must be HOST[:PORT] as references have it")
    .exactOptional(),
  redirects: z.array(hostEntry).exactOptional(),
  plainHttp: z.boolean().exactOptional(),
  ca: absolutePath.exactOptional(),
  credentialsFile: absolutePath.exactOptional(),
  credential: credential.exactOptional(),
  clientCertificate: absolutePath.exactOptional(),
  clientKey: absolutePath.exactOptional(),
}).superRefine((value, context) => {
  const add = (path: string, message: string | undefined) => {
    if (message !== undefined) context.addIssue({ code: "custom", path: [path], message });
  };
  add("url", baseUrlFault(value.url, value.plainHttp === true));
  if (value.credential !== undefined && value.credentialsFile !== undefined) {
    add("credential", "cannot be used together with credentialsFile");
  }
  if ((value.clientCertificate === undefined) !== (value.clientKey === undefined)) {
    add(value.clientKey === undefined ? "clientKey" : "clientCertificate", "must be there too");
  }
});

/** The base URL of an OTLP/HTTP collector; `/v1/traces` is added. */
export const tracesSchema = z.strictObject({
  endpoint: z.string(),
  plainHttp: z.boolean().exactOptional(),
  ca: absolutePath.exactOptional(),
}).superRefine((value, context) => {
  const message = baseUrlFault(value.endpoint, value.plainHttp === true);
  if (message !== undefined) context.addIssue({ code: "custom", path: ["endpoint"], message });
});

function baseUrlFault(text: string, plainHttp: boolean): string | undefined {
  const fault = urlFault(text, plainHttp);
  if (fault === "form") return "must be https://HOST[:PORT]";
  if (fault === "credentials") return "must not hold credentials: use credentialsFile";
  const { href, origin } = new URL(text);
  if (href !== `${origin}/`) return "must not have a path";
  return fault && "must be https, or say plainHttp: true";
}
