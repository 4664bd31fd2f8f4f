/**
 * `stella risk query`: one line of joined.ndjson, found while the whole bundle is verified in place. The answer is given after
 * the verdict only: nobody should act on a line that somebody else may have written.
 */
import { StellaError } from "../errors.ts";
import { escaped, shown } from "../bundle/names.ts";
import { LineSearch } from "../risk/query.ts";
import { joinedName } from "../risk/output.ts";
import type { Host } from "./host.ts";
import type { Result } from "./program.ts";
import { verdictJson, verdictText } from "./render.ts";
import { bundleDirectory } from "./bundle_place.ts";
import { judge, type VerifyOptions } from "./judge.ts";

export async function riskQueryCommand(
  options: VerifyOptions & { manifest: string },
  host: Host,
  args: string[],
): Promise<Result> {
  const search = new LineSearch(args[0]!);
  let there = false;
  const verdict = await judge(bundleDirectory(options.manifest), options, host, ({ path }) => {
    if (path !== joinedName) return undefined;
    there = true;
    return (piece) => search.push(piece);
  });
  if (!verdict.ok) {
    return { code: verdict.code, json: verdictJson(verdict), text: verdictText(verdict) };
  }
  if (!there) throw noRiskData(options.manifest);
  const answers = search.end();
  return {
    code: 0,
    json: { ...verdictJson(verdict), id: args[0], found: answers.length > 0, answers },
    text: answers.length === 0
      ? `${escaped(args[0]!)} is not in this bundle\n`
      : answers.map(answerText).join("\n"),
  };
}

function noRiskData(manifest: string): StellaError {
  return new StellaError("usage", `Cannot ask ${shown(manifest)}: it holds no ${joinedName}`, {
    hint: "export a profile of the kind risk, and ask that bundle",
  });
}

type Answer = ReturnType<LineSearch["end"]>[number];

function answerText(answer: Answer): string {
  const { id, aliases, kev, epss, affected, vex, sources } = answer;
  const lines = [
    [id, ...aliases].join("  "),
    `  exploited   ${kev === null ? "not known to be" : exploited(kev)}`,
    `  epss        ${epss === null ? "no score" : scored(epss)}`,
    ...affected.map((one) => `  affected    ${packageText(one)}`),
    ...vex.flatMap((one) => statusLines(one)),
    ...sources.map(({ provider, record }) => `  source      ${provider} ${record}`),
  ];
  return lines.map(escaped).join("\n") + "\n";
}

function exploited(kev: Record<string, unknown>): string {
  const ransomware = kev["ransomware"] === true ? ", also by ransomware" : "";
  return `yes${ransomware}: ${kev["name"]}, since ${kev["dateAdded"]}, due ${kev["dueDate"]}`;
}

function scored(epss: Record<string, unknown>): string {
  return `${epss["score"]}, percentile ${epss["percentile"]}`;
}

function packageText(one: Record<string, unknown>): string {
  const name = [one["ecosystem"], one["name"]].filter((part) => part !== undefined).join(" ");
  const ranges = one["ranges"] as { events: Record<string, string>[] }[];
  const events = ranges.flatMap((range) => range.events).flatMap((event) => Object.entries(event));
  return `${name} ${events.map(([mark, version]) => `${mark} ${version}`).join(", ")}`;
}

function statusLines(one: Record<string, unknown>): string[] {
  const status = one["status"] as Record<string, string[]>;
  return Object.entries(status).map(([name, products]) =>
    `  vex         ${name.replaceAll("_", " ")}: ${products.join(", ")} (${one["record"]})`
  );
}
