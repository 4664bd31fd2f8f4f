/** Commands of a site: questions to risk bundles, the timeline of its service, and its configuration. */
import type { Command } from "commander";
import { trustOptions } from "./bundle_options.ts";
import { group, type Leaf } from "./leaf.ts";
import { serviceOptions } from "./service_options.ts";

export function siteCommands(program: Command, leaf: Leaf): void {
  riskCommands(group(program, "risk", "Ask a bundle of risk data"), leaf);
  configCommands(group(program, "config", "The configuration of this site"), leaf);
  serviceOptions(
    leaf(program, "timeline [id]", "Show the event history of exports, or of one", [
      "stella timeline",
      "stella timeline --newest --follow",
      "stella timeline --tenant lab --export 019b76da-a800-7000-8000-000000000000 --json",
    ], async () => (await import("./timeline.ts")).timelineCommand),
  )
    .option("--tenant <name>", "whose exports (default: the first one of the service)")
    .option("--export <id>", "of this export only")
    .option("--event <id>", "this one event")
    .option("--after <id>", "only events after this one")
    .option("--before <id>", "only events before this one")
    .option("--newest", "the last events instead of the first")
    .option("--follow", "show new events until interrupted, or until the export has ended")
    .option("--limit <count>", "at most so many, up to 500", "100");
}

function riskCommands(risk: Command, leaf: Leaf): void {
  trustOptions(
    leaf(risk, "query <id>", "What is known about a CVE, by a verified bundle, read in place", [
      "stella risk query CVE-2021-44228 --manifest out/manifest.json",
      "stella risk query GHSA-jfh8-c2jp-5v3q --manifest /media/stick --trust signer.pub --json",
      "stella risk query CVE-2021-44228 --manifest /media/stick --max-age 7d",
    ], async () => (await import("./risk_query.ts")).riskQueryCommand)
      .requiredOption("--manifest <path>", "manifest.json, or the directory that holds it"),
  )
    .option("--max-age <duration>", "end with code 16 if a provider's data is older: 12h, 7d, 2w");
}

function configCommands(config: Command, leaf: Leaf): void {
  leaf(config, "check", "Check the configuration and say what it could reach", [
    "stella config check",
    "stella config check --config /etc/stella/stella.yaml --json",
  ], async () => (await import("./config.ts")).checkCommand)
    .option("--destination <host:port>", "say whether this one is allowed");
  leaf(config, "show", "The configuration that holds, with all defaults", [
    "stella config show",
    "stella config show --config /etc/stella/stella.yaml --json",
  ], async () => (await import("./config_show.ts")).showCommand);
  leaf(config, "schema", "What stella.yaml may say, as a JSON Schema", [
    "stella config schema > stella.schema.json",
  ], async () => (await import("./config_show.ts")).schemaCommand);
}
