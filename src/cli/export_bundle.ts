/** `stella export bundle`: profile, key and output put together, then the way out. */
import { basename, dirname, resolve } from "node:path";
import { StellaError } from "../domain/errors.ts";
import { readSecret, type SharedSecret } from "../attest/secret.ts";
import { loadSigner, type MadeKey } from "../attest/sign/keys.ts";
import type { Signer } from "../attest/sign/signer.ts";
import { manifestName } from "../bundle/manifest.ts";
import { checkName, isName, shown } from "../domain/names.ts";
import { pathFault } from "../domain/paths.ts";
import { PrivateFiles } from "../bundle/private_files.ts";
import { egressPolicy } from "../domain/egress.ts";
import { type Config, loadConfig } from "../config/load.ts";
import { keyDirectory, requireStateDirectory } from "../config/paths.ts";
import { privatePlacesOf } from "../config/private_places.ts";
import type { FilesSource, Profile } from "../config/profile.ts";
import type { EgressConfig } from "../domain/egress.ts";
import { checkLayout, exportBundle, type ExportOptions, planExport } from "../export/export.ts";
import { programsOf } from "../export/sources/programs.ts";
import { parseVolumeSize } from "../export/volume_size.ts";
import { programPath } from "../domain/version.ts";
import { exportTenant } from "./export_tenant.ts";
import { chunkWorkers } from "./chunk_worker.ts";
import type { Result } from "./command.ts";
import { yielder } from "./event_loop.ts";
import { inputsOf } from "./export_inputs.ts";
import type { ExportFlags } from "./export_options.ts";
import { exported, planned } from "./export_result.ts";
import type { Host } from "./host.ts";
import { ProgressLine } from "./progress.ts";
import { checkDownloads } from "./network.ts";
import { notPushed } from "./push_again.ts";
import { besideTargets, planTargets, type TargetPlan, withTargets } from "./publish_targets.ts";
import { openPush, push } from "./push.ts";
import { systemTiming } from "../net/retry.ts";
import { machineSigner, type Recipe, recipeOf } from "./recipe.ts";
import { dropPermissions } from "./permissions.ts";
import { defaultManifest, refuseInSources } from "./run_files.ts";
import { StageTimes } from "./stage_times.ts";

export async function exportLocally(flags: ExportFlags, host: Host): Promise<Result> {
  if (flags.trust !== undefined && flags.trust.length > 0) {
    throw new StellaError("usage", "Cannot use --trust without --server", {
      hint: "leave --trust out: it is for a bundle that is fetched from a service",
    });
  }
  const directory = outputDirectory(flags.manifest ?? defaultManifest);
  const parts = await partsOf(flags, host);
  refuseInSources(flags, parts.sources.map(({ path }) => path));
  if (flags.dryRun) {
    await dropPermissions(host, []);
    const sources = [...(parts.originals ?? []), ...parts.sources];
    return planned(parts, planExport({ ...parts, sources }), parts.targets?.targets ?? []);
  }
  const ready = flags.push === undefined ? undefined : await openPush(flags.push, flags, host);
  const { signer, made } = signerFor(flags, host, directory);
  const isOnline = ready !== undefined || parts.downloads === true ||
    parts.targets?.isOnline === true;
  // Before the first byte of what is packed: it may be anybody's.
  await dropPermissions(host, isOnline ? ["write", "sys", "net"] : ["write", "sys"]);
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  const stages = new StageTimes(host.elapsed);
  try {
    const report = await exportBundle({
      ...parts,
      directory,
      signer,
      force: flags.force === true,
      uuid: host.uuid,
      yieldToEventLoop: yielder(host),
      workers: chunkWorkers(host),
      progress: (stage, done, total) => {
        stages.told(stage, done);
        line.update(stage, done, total);
      },
    });
    line.end();
    stages.end();
    const outcomes = await parts.targets?.publish(report, directory, line) ?? [];
    line.end();
    const pushed = ready && await push(ready, directory, flags, host).catch((error) => {
      throw besideTargets(notPushed(error, directory, flags), outcomes);
    });
    if (pushed !== undefined) stages.add("push", pushed.json);
    return withTargets(exported(report, stages.all, directory, made, pushed), outcomes, directory);
  } finally {
    line.end();
    ready?.client.close();
  }
}

/** An export's manifest has to be called manifest.json: everything else finds it by that name. */
export function outputDirectory(manifest: string): string {
  if (basename(manifest) === manifestName) return dirname(manifest);
  throw new StellaError(
    "usage",
    `Cannot write the manifest to ${shown(manifest)}: it has to be called ${manifestName}`,
    {
      hint: `for example: --manifest out/${manifestName}`,
    },
  );
}

type Parts =
  & Omit<
    ExportOptions,
    "directory" | "signer" | "force" | "uuid" | "yieldToEventLoop" | "progress"
  >
  & { originals?: FilesSource[]; downloads?: boolean; targets?: TargetPlan };

async function partsOf(flags: ExportFlags, host: Host): Promise<Parts> {
  const { profile, config } = await findProfile(profileName(flags), flags, host);
  const tenant = exportTenant(flags.tenant, profile);
  const privateFiles = privateFilesOf(flags, config, host);
  const volumeSize = flags.volumeSize === undefined ? undefined : parseVolumeSize(flags.volumeSize);
  const { layout = "archive" } = flags;
  checkLayout(layout, volumeSize);
  const recipe = recipeOf(profile, host.environment);
  return {
    ...recipe,
    ...(profile.kind === "risk"
      ? await riskParts(profile, { recipe, egress: config.egress, privateFiles }, host)
      : {}),
    privateFiles,
    downloads: checkDownloads(profile, flags, host),
    ...(flags.noPublish === true ? {} : { targets: planTargets(profile, config, flags, host) }),
    profile: profile.name,
    tenant,
    sources: profile.sources,
    layout,
    compression: flags.compression ?? profile.compression,
    ...(volumeSize === undefined ? {} : { volumeSize }),
    ...sealOf(flags.secret ?? profile.secretFile),
    programs: programsOf(flags.includeSelf ? selfPath() : undefined, flags.includeBinary),
  };
}

/** What a risk profile needs besides; for a dry run, what can be said of it without reading and fetching. */
async function riskParts(
  profile: Profile,
  { recipe, egress, privateFiles }: {
    recipe: Recipe;
    egress: EgressConfig;
    privateFiles: PrivateFiles;
  },
  host: Host,
) {
  const { localOriginals, preparation } = await import("../export/sources/risk.ts");
  const network = { timing: systemTiming, policy: egressPolicy(egress), signal: host.stop };
  const { sources } = profile;
  const time = recipe.epoch === undefined ? {} : { epoch: recipe.epoch };
  return {
    ...preparation(profile, {
      network,
      sources,
      privateFiles,
      yieldToEventLoop: yielder(host),
      ...time,
    }),
    originals: localOriginals(profile),
  };
}

function profileName(flags: ExportFlags): string {
  if (flags.profile !== undefined) return checkName("profile", flags.profile);
  throw new StellaError("usage", "Cannot export: no profile was named", {
    hint: "for example: stella export bundle --profile kit --manifest out/manifest.json",
  });
}

async function findProfile(name: string, flags: ExportFlags, host: Host) {
  const checks = { isName, pathFault };
  const { config } = await loadConfig(
    { flag: flags.config, environment: host.environment },
    checks,
  );
  return { profile: profileOf(name, flags, config), config };
}

/** What was named to this command is as private as what the configuration names. */
function privateFilesOf(flags: ExportFlags, config: Config, host: Host): PrivateFiles {
  const { files, directories } = privatePlacesOf(config, host.environment);
  const { key, keyPassphraseFile, secret, credentials, clientKey, tokenFile } = flags;
  const named = [key, keyPassphraseFile, secret, credentials, clientKey, tokenFile];
  return new PrivateFiles({
    files: [...files, ...named.filter((path) => path !== undefined)],
    directories,
  });
}

function profileOf(name: string, flags: ExportFlags, config: Config): Profile {
  const inputs = inputsOf(flags);
  const known = config.profiles.get(name);
  if (known !== undefined) return { ...known, sources: [...known.sources, ...inputs] };
  if (inputs.length > 0) {
    return { name, kind: "files", sources: inputs, compression: "zstd", targets: [] };
  }
  throw new StellaError(
    "usage",
    `Cannot export the profile ${shown(name)}: it is not configured`,
    {
      hint: `give it something to pack with --input PATH, or use one of: ${
        [...config.profiles.keys()].join(", ")
      }`,
    },
  );
}

function sealOf(path: string | undefined): { secret?: SharedSecret } {
  return path === undefined ? {} : { secret: readSecret(path) };
}

function selfPath(): string {
  const path = programPath();
  if (path !== undefined) return path;
  throw new StellaError(
    "usage",
    "Cannot include this program: it runs from its source, not as one binary",
    {
      hint: "build it with `deno task build` or `deno task build:portable`, and run the binary",
    },
  );
}

function signerFor(
  flags: ExportFlags,
  host: Host,
  output: string,
): { signer: Signer; made?: MadeKey } {
  const { key, keyPassphraseFile } = flags;
  if (key !== undefined) return { signer: loadSigner(key, keyPassphraseFile) };
  const state = requireStateDirectory(host.environment);
  refuseKeyInOutput(state, output);
  return machineSigner(state, keyPassphraseFile);
}

/** What is carried away must not hold the key that signs it. */
function refuseKeyInOutput(state: string, output: string): void {
  const [keys, out] = [keyDirectory(state), resolve(output)];
  if (keys !== out && !keys.startsWith(`${out}/`)) return;
  throw new StellaError("usage", `Cannot export into ${shown(output)}: the keys lie in it`, {
    hint: "choose an output directory outside of the state directory (STELLA_DATA)",
  });
}
