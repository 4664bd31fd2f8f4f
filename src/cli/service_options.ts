/** Options of the commands that ask a running service, and the commands about its exports. */
import { type Command, Option } from "commander";
import { group, type Leaf } from "./leaf.ts";

const states = ["queued", "running", "succeeded", "failed", "cancelled"];

export function serviceOptions(command: Command): Command {
  return command
    .option("--url <url>", "of the service (default: STELLA_URL, else http://127.0.0.1:8420)")
    .option("--ca <file>", "certificate authority of the service, PEM")
    .option(...tokenFile)
    .option(...insecureHttp);
}

export const tokenFile = [
  "--token-file <file>",
  "access token of the service, mode 0600 (default: STELLA_TOKEN_FILE)",
] as const;
export const insecureHttp = [
  "--insecure-http",
  "send the token to another machine by plain http",
] as const;

export function jobCommands(program: Command, leaf: Leaf): void {
  const jobs = group(program, "jobs", "The exports of a running service");
  filters(
    serviceOptions(
      leaf(jobs, "list", "List exports, newest first", [
        "stella jobs list",
        "stella jobs list --state failed --json",
      ], async () => (await import("./jobs.ts")).listCommand),
    ),
    states,
  )
    .option("--cursor <id>", "only exports that came before this one")
    .option("--limit <count>", "at most so many, up to 500", "50");
  serviceOptions(
    leaf(jobs, "show <id>", "Show one export: requester, times, result", [
      "stella jobs show 019b76da-a800-7000-8000-000000000000",
    ], async () => (await import("./jobs.ts")).showCommand),
  );
  serviceOptions(
    leaf(jobs, "retry <ids...>", "Queue failed or cancelled exports again", [
      "stella jobs retry 019b76da-a800-7000-8000-000000000000",
    ], async () => (await import("./jobs.ts")).retryCommand),
  );
  serviceOptions(
    leaf(jobs, "cancel <ids...>", "End exports: at once where they wait, soon where they run", [
      "stella jobs cancel 019b76da-a800-7000-8000-000000000000",
    ], async () => (await import("./jobs.ts")).cancelCommand),
  );
  filters(
    serviceOptions(
      leaf(jobs, "purge [ids...]", "Remove exports that have ended, and their bundles", [
        "stella jobs purge 019b76da-a800-7000-8000-000000000000",
        "stella jobs purge --state failed",
      ], async () => (await import("./jobs.ts")).purgeCommand),
    ),
    states.slice(2),
  );
}

function filters(command: Command, choices: string[]): Command {
  return command
    .addOption(new Option("--state <state>", "only exports in this state").choices(choices))
    .option("--profile <name>", "only of this profile")
    .option("--tenant <name>", "only of this tenant");
}
