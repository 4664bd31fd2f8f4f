/**
 * The command line: which commands there are, their options and their help. Each command's work
 * lies in a file of its own that is loaded when it is called, so that `stella version` does not pay
 * for the server.
 */
import { Command, CommanderError, Option } from "commander";
import { exitCodes } from "../domain/errors.ts";
import { collectEntropy } from "../registry/entropy.ts";
import type { Host } from "./host.ts";
import {
  passphraseOption,
  pushOptions,
  receiptOptions,
  registryOptions,
  verifyOptions,
} from "./bundle_options.ts";
import { carryCommands, pullCommand } from "./carry_commands.ts";
import { codesHelp, group, type Leaf, leafMaker, many, runFileOptions } from "./leaf.ts";
import { keyCommands } from "./key_commands.ts";
import { misunderstood } from "./misunderstood.ts";
import { asStellaError, errorText } from "./render.ts";
import { insecureHttp, jobCommands, serviceOptions, tokenFile } from "./service_options.ts";
import { siteCommands } from "./site_commands.ts";

export interface CommonOptions {
  config?: string;
  json?: boolean;
  quiet?: boolean;
  permissions?: boolean;
}

/**
 * What a command gives back: its exit code, and its one result for --json or the text for a person.
 */
export interface Result {
  code: number;
  json: unknown;
  text: string;
}

/** Runs one command line. @returns the exit code; nothing below ends the process */
export async function run(args: string[], host: Host): Promise<number> {
  let code: number = exitCodes.internal;
  const program = commands(host, (result) => code = result, args[0]);
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return misunderstood(error, args, program, host);
    const known = asStellaError(error);
    host.stderr(errorText(known));
    return known.exitCode;
  }
}

type Family = (program: Command, leaf: Leaf) => void;

/** All commands by their first words, in the order of the help. */
const families: [names: string[], add: Family][] = [
  [["export"], exportCommands],
  [["verify"], verifyCommand],
  [["pull"], pullCommand],
  [["serve", "status", "health", "spans"], serviceCommands],
  [["keys"], keyCommands],
  [["assets", "version"], otherCommands],
  [["risk", "config", "timeline"], siteCommands],
  [["jobs"], jobCommands],
];

/**
 * All commands there are; `done` is told the exit code of the one that was run.
 * @param first word of the command line: where it names a command, the others are left out, because
 * declaring them all takes as long as loading the parser
 */
export function commands(host: Host, done: (code: number) => void, first?: string): Command {
  const program = new Command("stella")
    .description(
      "An Export Center in one binary: signed, reproducible bundles for sites behind an air gap",
    )
    .exitOverride().configureOutput({ writeOut: host.stdout, writeErr: host.stderr })
    .enablePositionalOptions().showSuggestionAfterError()
    .addHelpText("after", codesHelp);
  const leaf = leafMaker(host, done);
  const named = families.filter(([names]) => first !== undefined && names.includes(first));
  for (const [, add] of named.length > 0 ? named : families) add(program, leaf);
  return program;
}

function exportCommands(program: Command, leaf: Leaf): void {
  const group1 = group(program, "export", "Make, check and carry bundles");
  const bundle = leaf(group1, "bundle", "Export a profile as a signed bundle", [
    "stella export bundle --profile kit --manifest out/manifest.json",
    "stella export bundle --profile advisories --input osv=/srv/osv --manifest out/manifest.json",
  ], async () => (await import("./export_bundle.ts")).exportBundleCommand)
    .enablePositionalOptions()
    .option(
      "--profile <name>",
      "configured profile, kit, or a new name together with --input",
    )
    .option(
      "--manifest <path>",
      "path of the manifest; the other files are written beside it (default: " +
        "out/manifest.json; with --server: fetch the finished bundle to this place)",
    )
    .option("--input <path>", "file or directory to pack, or PREFIX=PATH; repeatable", many)
    .option("--include <glob>", "pack only these files of each --input; repeatable", many)
    .option("--exclude <glob>", "do not pack these files of each --input; repeatable", many)
    .option("--follow", "pack copies of what symbolic links inside an --input lead to")
    .option("--key <file>", "private key that signs (default: the key of this machine)")
    .option("--secret <file>", "also sign the manifest with this shared secret (HMAC-SHA256)")
    .option(
      "--tenant <name>",
      "tenant that the export belongs to (default: the first one of the profile, else default; " +
        "with --server the first one of the token that may export the profile)",
    )
    .addOption(new Option("--compression <kind>", "of the archive").choices(["zstd", "none"]))
    .addOption(
      new Option("--layout <kind>", "of the payload").choices(["archive", "directory"]).default(
        "archive",
      ),
    )
    .option("--volume-size <size>", "cut the archive: fat32, or a size such as 4G or 700MB")
    .option(
      "--include-self",
      "add this stella binary to the bundle (97 MB, not split by --volume-size)",
    )
    .option("--include-binary <path>", "add a stella binary for another platform; repeatable", many)
    .option("--force", "overwrite existing files in the output directory")
    .option("--dry-run", "say what would be packed, write nothing")
    .option(
      "--server <url>",
      "let this service do the export, and follow it; --ca is then its authority",
    )
    .option(
      "--trust <path>",
      "with --server: public key of the service, or a directory of *.pub; repeatable",
      many,
    )
    .option(...tokenFile).option(...insecureHttp);
  bundle.option("--push <ref>", "then push to a registry: oci://HOST/REPOSITORY:TAG")
    .option("--no-publish", "do not publish to the targets that the profile names");
  passphraseOption(runFileOptions(registryOptions(pushOptions(bundle))));
  receiptOptions(verifyOptions(
    leaf(bundle, "verify", "Verify a bundle: every byte is the signed one", [
      "stella export bundle verify --manifest out/manifest.json",
      "stella export bundle verify --manifest /media/stick --trust signer.pub",
      "stella export bundle verify --manifest /media/a --volumes /media/b --receipt receipt.json",
      "stella export bundle verify --manifest oci://registry.site:5000/exports/kit:latest",
    ], verifyWork).requiredOption(
      "--manifest <path>",
      "manifest.json, the directory that holds it, oci://HOST/REPOSITORY:TAG, or - (a pipe)",
    ),
  ));
  carryCommands(bundle, leaf);
  for (const [name, about] of [["list", "List what a bundle holds"], ["show", "Show a bundle"]]) {
    verifyOptions(
      leaf(bundle, name!, `${about}, and what is wrong with it`, [
        `stella export bundle ${name} --manifest out/manifest.json`,
        ...(name === "list" ? ["stella export bundle list"] : []),
      ], async () => {
        const { listCommand, showCommand } = await import("./list_bundle.ts");
        return name === "list" ? listCommand : showCommand;
      }).option("--manifest <path>", "manifest.json, or the directory that holds it"),
    );
  }
  verifyOptions(pushOptions(
    leaf(bundle, "push <ref>", "Push a finished bundle to an OCI registry", [
      "stella export bundle push --manifest out/manifest.json oci://registry.site:5000/exports/kit:latest",
    ], async () => {
      collectEntropy();
      return (await import("./push_bundle.ts")).pushBundleCommand;
    })
      .requiredOption("--manifest <path>", "manifest.json, or the directory that holds it"),
  ));
}

const verifyWork = async () => (await import("./verify_bundle.ts")).verifyBundleCommand;

function verifyCommand(program: Command, leaf: Leaf): void {
  receiptOptions(verifyOptions(
    leaf(
      program,
      "verify <path>",
      "Verify the bundle at a path, on a mounted stick, or from a pipe",
      [
        "stella verify out",
        "stella verify /media/stick --trust signer.pub --json",
        "curl -s http://127.0.0.1:8420/v1/exports/ID/bundle.tar | stella verify -",
      ],
      verifyWork,
    ),
  ));
}

function serviceCommands(program: Command, leaf: Leaf): void {
  leaf(program, "serve", "Run the service: exports API, health, status, metrics", [
    "stella serve",
    "stella serve --listen 127.0.0.1:9000 --config /etc/stella/stella.yaml",
  ], async () => (await import("./service.ts")).serveCommand)
    .option(
      "--listen <address>",
      "HOST:PORT (default: STELLA_LISTEN, else service.listen, else 127.0.0.1:8420)",
    )
    .option(
      "--ops-listen <address>",
      "serve health, status, metrics and runbook here too, without tokens " +
        "(default: STELLA_OPS_LISTEN, else service.opsListen)",
    );
  serviceOptions(
    leaf(program, "status", "Show a running service; compare its build with a bundle's manifest", [
      "stella status",
      "stella status --manifest out/manifest.json",
    ], async () => (await import("./service.ts")).statusCommand),
  )
    .option("--manifest <path>", "manifest.json, or the directory that holds it");
  serviceOptions(
    leaf(program, "health", "Readiness of a running service, by exit code: 0 ready, 13 not", [
      "stella health",
    ], async () => (await import("./service.ts")).healthCommand),
  );
  leaf(program, "spans", "Keep the spans of a site without a collector: OTLP/HTTP into a file", [
    "stella spans --listen 127.0.0.1:4318 --out spans.ndjson",
  ], async () => (await import("./spans.ts")).spansCommand)
    .option("--listen <address>", "HOST:PORT, loopback only", "127.0.0.1:4318")
    .option("--out <file>", "where they go: a line per request, OTLP JSON", "spans.ndjson")
    .option("--max-size <mebibytes>", "of the file; full ones become FILE.1, FILE.2, ...", "64")
    .option("--keep <count>", "how many full files are kept", "5");
}

function otherCommands(program: Command, leaf: Leaf): void {
  const assets = group(
    program,
    "assets",
    "What the binary carries: dashboards, rules, runbook, units",
  );
  leaf(
    assets,
    "list",
    "List it",
    ["stella assets list"],
    async () => (await import("./assets.ts")).listCommand,
  );
  leaf(assets, "write <dir>", "Write it", [
    "stella assets write stella-assets",
    "stella assets write --only systemd /etc/systemd/system",
  ], async () => (await import("./assets.ts")).writeCommand)
    .addOption(new Option("--only <kind>", "just these").choices(["systemd", "dashboards"]))
    .option("--base-url <url>", "where people reach this service: for the links in the alert rules")
    .option("--grafana-url <url>", "of the site's Grafana, for the same");
  leaf(program, "version", "Version, commit, build date and form", [
    "stella version --check",
  ], async () => (await import("./version.ts")).versionCommand)
    .option("--check", "compare the program's bytes with the digest from its build");
}
