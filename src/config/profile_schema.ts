/** A profile as stella.yaml writes it. */
import { pathFault } from "../domain/paths.ts";
import * as z from "zod";
import { globFault } from "./glob.ts";
import { providerSchema } from "./provider_schema.ts";
import { absolutePath } from "./registry_schema.ts";
import { duration, retentionSchema, scheduleSchema } from "./service_schema.ts";
import { imageFault } from "../domain/image_reference.ts";
import { isRepository } from "../domain/reference.ts";
import { tagFault } from "../domain/tag.ts";

/** An SLA at or above this is beyond the histogram's buckets, so its alert could never fire. */
const slaLimit = 7200;

const repository = z.string().refine(isRepository, "must be a repository name");
const tag = z.string().superRefine(without(tagFault));
const globs = z.array(z.string().superRefine(without(globFault)))
  .min(1, "must name at least one glob").max(100, "must name at most 100 globs");
const sla = duration((seconds) => seconds < slaLimit, "such as 15m, below 2h");

/** Not a union of two: its error would not tell which of the two was meant. */
export const targetSchema = z.strictObject({
  directory: absolutePath.exactOptional(),
  registry: z.string().exactOptional(),
  repository: repository.exactOptional(),
  tag: tag.exactOptional(),
}).transform(({ directory, registry, repository, tag }, context) => {
  const remote = [registry, repository, tag].filter((one) => one !== undefined).length;
  if (directory !== undefined && remote === 0) return { directory };
  if (directory === undefined && registry && repository && tag) {
    return { registry, repository, tag };
  }
  const message = "must have either directory, or registry, repository and tag";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});

/** A refinement from a function that describes the fault of a text. */
function without(fault: (text: string) => string | undefined) {
  return (value: string, context: z.RefinementCtx): void => {
    const found = fault(value);
    if (found === undefined) return;
    context.addIssue({ code: "custom", message: `cannot be used: ${found}` });
  };
}

export const sourceSchema = z.strictObject({
  files: absolutePath,
  prefix: z.string().superRefine(without(pathFault)).exactOptional(),
  include: globs.exactOptional(),
  exclude: globs.exactOptional(),
  follow: z.boolean().exactOptional(),
}).transform(({ files, ...rest }) => ({ path: files, ...rest }));

export const profileSchema = z.strictObject({
  kind: z.enum(["files", "risk", "images"], "must be files, risk or images"),
  tenants: z.array(z.string()).min(1, "must name at least one tenant").exactOptional(),
  sources: z.array(sourceSchema).min(1, "must name at least one source").default([]),
  providers: z.array(providerSchema).min(1, "must name at least one provider").exactOptional(),
  images: z.array(z.string().superRefine(without(imageFault))).min(
    1,
    "must name at least one image",
  )
    .max(10_000, "must name at most 10000 images").exactOptional(),
  secretFile: absolutePath.exactOptional(),
  compression: z.enum(["zstd", "none"], "must be zstd or none").exactOptional(),
  sla: sla.exactOptional(),
  targets: z.array(targetSchema).default([]),
  schedule: scheduleSchema.exactOptional(),
  retention: retentionSchema.exactOptional(),
}).transform(({ sla, compression, ...rest }) => ({
  ...rest,
  // The layers of images are compressed already, and other tools read a plain archive in place.
  compression: compression ?? (rest.kind === "images" ? "none" as const : "zstd" as const),
  ...(sla === undefined ? {} : { slaSeconds: sla }),
}));
