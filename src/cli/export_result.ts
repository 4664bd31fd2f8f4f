/** The final output of an export or a dry run: text for people, JSON for programs. */
import type { MadeKey } from "../attest/sign/keys.ts";
import { escaped } from "../domain/names.ts";
import type { Plan } from "../export/plan.ts";
import type { ExportReport, leftOutOf, ProviderSummary } from "../export/report.ts";
import { nameOf } from "../export/targets.ts";
import type { Result } from "./command.ts";
import { plural, sizeText } from "./render.ts";
import type { StageTime } from "./stage_times.ts";

export function planned(plan: Plan): Result {
  const { profile, tenant, targets } = plan.spec;
  const { files, bytes, empty } = plan;
  const created = new Date(plan.created * 1000).toISOString().replace(".000", "");
  const bundle = { profile, tenant, files, bytes, created };
  return {
    json: { dryRun: true, bundle, ...emptyJson(empty), targets, files: [] },
    text: [
      `would export  ${profile} of ${created}: ${plural(files, "file")}, ${sizeText(bytes)}`,
      ...emptyLines(empty),
      ...targets.map((target) => escaped(`would publish to ${nameOf(target)}`)),
    ].join("\n") + "\n",
  };
}

const noneEmpty: Plan["empty"] = { count: 0, paths: [] };

/** A manifest only lists files, so empty directories are lost. */
function emptyLines({ count, paths }: Plan["empty"] = noneEmpty): string[] {
  if (count === 0) return [];
  const first = paths.slice(0, 3).map(escaped).join(", ");
  const rest = count > 3 ? ` and ${count - 3} more` : "";
  return [`  left out  ${emptyText(count)}: ${first}${rest}`];
}

export function emptyText(count: number): string {
  return count === 1 ? "1 empty directory" : `${count} empty directories`;
}

function emptyJson({ count, paths }: Plan["empty"] = noneEmpty) {
  return { emptyDirectoryCount: count, emptyDirectories: paths };
}

export function exported(
  report: ExportReport,
  stages: readonly StageTime[],
  directory: string,
  made: MadeKey | undefined,
): Result {
  const { profile, tenant, created, sequence, bundleDigest, keyid, risk, images } = report;
  const { files, bytes } = report.payload;
  const size = `${sizeText(bytes)}, in a bundle of ${sizeText(report.bundleBytes)}`;
  const lines = [
    `exported  ${profile} of ${created} into ${directory}`,
    `  payload   ${plural(files, "file")}, ${size}`,
    ...emptyLines(report.emptyDirectories),
    `  digest    sha256:${bundleDigest}`,
    ...(sequence === undefined ? [] : [`  sequence  ${sequence}`]),
    `  signed by ${keyid}`,
    ...imageLines(images),
    ...leftOutLines(risk),
    ...(made === undefined ? [] : [
      `  Made a signing key for this machine: ${made.keyPath}`,
      `  Recipients need ${made.publicPath} to verify: send it separately from the bundle.`,
    ]),
    `  check it: stella verify ${directory}`,
  ];
  return {
    json: {
      verdict: "exported",
      bundle: { profile, tenant, bundleDigest, created, sequence, files, bytes },
      signer: { keyid, made: made?.keyPath },
      findings: [],
      files: report.files,
      ...emptyJson(report.emptyDirectories),
      risk,
      images,
      stages,
    },
    text: lines.join("\n") + "\n",
  };
}

function imageLines(images: ExportReport["images"] = []): string[] {
  const shownImages = images.slice(0, 20).map(({ name, digest }) =>
    `  image     ${name} ${digest}`
  );
  return images.length <= 20
    ? shownImages
    : [...shownImages, `            and ${images.length - 20} more: see stella list`];
}

/** By why it was left out; the reasons are those of the metric. */
export type LeftOutCounts = NonNullable<ReturnType<typeof leftOutOf>>;

export function countsText({ invalid, bad_id: badIds, unread }: LeftOutCounts): string {
  return [
    invalid > 0 ? plural(invalid, "invalid record") : "",
    badIds > 0 ? plural(badIds, "bad id") : "",
    unread > 0 ? `${plural(unread, "file")} not read` : "",
  ].filter((part) => part !== "").join(", ");
}

function leftOutLines(risk: readonly ProviderSummary[] = []): string[] {
  const lines = risk.flatMap(({ name, rejected, badIds, unread }) => {
    const parts = countsText({ invalid: rejected, bad_id: badIds, unread });
    return parts === "" ? [] : [`  left out  ${name}: ${parts}`];
  });
  return lines.length === 0
    ? []
    : [...lines, "            see rejected.ndjson and providers.json in the bundle"];
}
