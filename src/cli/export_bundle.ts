/** `stella export bundle`: profile, key and output put together, then the pipeline. */
import { basename, dirname, resolve } from "node:path";
import { loadSigner, machineSigner, type MadeKey } from "../attest/sign/keys.ts";
import type { Signer } from "../attest/sign/signer.ts";
import { manifestName } from "../bundle/manifest.ts";
import {
  keyDirectory,
  machineKeyPath,
  requireStateDirectory,
  stateDirectory,
} from "../config/paths.ts";
import { StellaError } from "../domain/errors.ts";
import { shown } from "../domain/names.ts";
import { hostOf } from "../domain/reference.ts";
import { sequenceOption } from "../domain/sequence.ts";
import { exportBundle, planOnly } from "../export/export.ts";
import { type Sequencer, sequencer } from "../export/sequences.ts";
import { addressesOf, type ExportContext, type ExportSpec } from "../export/spec.ts";
import { tryTargets } from "../export/targets.ts";
import { timingOf } from "../net/retry.ts";
import { chunkWorkers } from "./chunk_worker.ts";
import type { Result } from "./command.ts";
import { yielder } from "./event_loop.ts";
import { type ExportFlags, givenFlags } from "./export_options.ts";
import { specOf } from "./export_request.ts";
import { exported, planned } from "./export_result.ts";
import type { Host } from "./host.ts";
import { checkEnvironment } from "./network.ts";
import { dropPermissions } from "./permissions.ts";
import { ProgressLine } from "./progress.ts";
import { outcomeOf, tryPush, withOutcomes } from "./publish_result.ts";
import { openPush } from "./push.ts";
import { uploadsOf } from "./registry_client.ts";
import { defaultManifest, refuseInSources } from "./run_files.ts";
import { StageTimes } from "./stage_times.ts";

/** Only an export by a service has a use for these. */
const remoteOnly = ["trust", "tokenFile", "insecureHttp"];

function refuseRemoteFlags(flags: ExportFlags): void {
  const given = givenFlags(flags, (name) => remoteOnly.includes(name)).join(", ");
  if (given === "") return;
  throw new StellaError("options_conflict", `Cannot use ${given} without --server`, {
    hint: `leave ${given} out, or name a service with --server`,
  });
}

export async function exportLocally(flags: ExportFlags, host: Host): Promise<Result> {
  refuseRemoteFlags(flags);
  const directory = outputDirectory(flags.manifest ?? defaultManifest);
  const spec = await specOf(flags, host);
  refuseInSources(flags, spec.sources.map(({ path }) => path));
  const urls = addressesOf(spec);
  if (urls.length > 0) checkEnvironment(urls.map(hostOf), flags, host);
  if (flags.dryRun) {
    await dropPermissions(host, spec.images.length > 0 ? ["net"] : []);
    return planned(await planOnly(spec, { ...contextOf(host), emit: () => {} }));
  }
  const ready = flags.push === undefined ? undefined : await openPush(flags.push, flags, host);
  const { signer, made } = signerFor(flags, host, directory);
  const numbered = sequencerFor(flags, spec, host);
  const isOnline = ready !== undefined || urls.length > 0;
  const uploads = isOnline ? uploadsOf(host) : {};
  // Before the first byte of what is packed: it may be anybody's.
  await dropPermissions(host, isOnline ? ["write", "sys", "net"] : ["write", "sys"]);
  const line = new ProgressLine(host, flags.quiet === true || flags.json === true);
  const stages = new StageTimes(host.elapsed);
  const show: ExportContext["emit"] = (event) => {
    if (event.kind === "progress") line.update(event.stage, event.done, event.total);
  };
  const context: ExportContext = {
    ...contextOf(host),
    emit: (event) => {
      if (event.kind === "progress") stages.reached(event.stage, event.done);
      show(event);
    },
    ...uploads,
  };
  try {
    const output = { directory, signer, sequencer: numbered, force: flags.force === true };
    const report = await exportBundle(spec, output, context);
    line.end();
    stages.end();
    const finished = { exportId: host.uuid(), directory, report };
    const outcomes = (await tryTargets(spec, finished, { ...context, emit: show })).map(outcomeOf);
    line.end();
    if (ready !== undefined && flags.push !== undefined) {
      const outcome = await tryPush(ready, flags.push, directory, flags, host);
      if (outcome.pushed !== undefined) stages.add("push", outcome.pushed.json);
      outcomes.push(outcome);
    }
    const result = exported(report, stages.all, directory, made);
    return withOutcomes(result, outcomes, directory, flags);
  } finally {
    line.end();
    ready?.client.close();
  }
}

function contextOf(host: Host) {
  return {
    uuid: host.uuid,
    timing: timingOf(host),
    signal: host.stop,
    yieldToEventLoop: yielder(host),
    workers: chunkWorkers(host),
  };
}

/** An export's manifest must be called manifest.json: everything else finds it by that name. */
export function outputDirectory(manifest: string): string {
  if (basename(manifest) === manifestName) return dirname(manifest);
  throw new StellaError(
    "argument_invalid",
    `Cannot write the manifest to ${shown(manifest)}: it has to be called ${manifestName}`,
    { hint: `for example: --manifest out/${manifestName}` },
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
  return machineSigner(machineKeyPath(state), keyPassphraseFile);
}

/** Undefined where there is no state directory to remember the last sequence in. */
function sequencerFor(
  { sequence }: ExportFlags,
  { tenant, profile }: ExportSpec,
  { environment, uuid }: Host,
): Sequencer | undefined {
  const asked = sequence === undefined ? undefined : sequenceOption("sequence", sequence);
  const directory = stateDirectory(environment);
  if (asked === "none") return undefined;
  if (directory !== undefined) return sequencer({ directory, tenant, profile, uuid }, asked);
  return asked === undefined ? undefined : () => Promise.resolve(asked);
}

/** A bundle that is carried away must not contain its signing key. */
function refuseKeyInOutput(state: string, output: string): void {
  const [keys, out] = [keyDirectory(state), resolve(output)];
  if (keys !== out && !keys.startsWith(`${out}/`)) return;
  const what = `Cannot export into ${shown(output)}: it contains the keys`;
  throw new StellaError("output_unsuitable", what, {
    hint: "choose an output directory outside of the state directory (STELLA_DATA)",
  });
}
