/** `stella load`: the images of a bundle go into a registry; only what it lacks is read and sent. */
import type { Manifest } from "../bundle/manifest.ts";
import { openPayload } from "../bundle/payload_files.ts";
import { type BundleSource, readSmall } from "../bundle/source.ts";
import { stateDirectory } from "../config/paths.ts";
import { globFault, globMatcher } from "../config/glob.ts";
import { exitCodes, StellaError, worstOf } from "../domain/errors.ts";
import { sha256 } from "../domain/hash.ts";
import { escaped, shown } from "../domain/names.ts";
import { endpointOf, parseReference } from "../domain/reference.ts";
import { type ImageSet, readImageSet, selectImages } from "../images/image_set.ts";
import { blobPath, imagesName, maxImagesBytes, readImages } from "../images/layout.ts";
import { type LoadedImage, loadImages, type LoadReport } from "../images/load.ts";
import { mapRepositories, parseMapping } from "../images/mapping.ts";
import { RemoteError } from "../net/failure.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { Verdict } from "../verify/verdict.ts";
import { verifyManifest } from "../verify/verify.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { isRegistry, type ReceiptFlags } from "./options.ts";
import type { Place, Trust } from "./open_bundle.ts";
import { openConfigs } from "./load_configs.ts";
import { confineForBundle } from "./permissions.ts";
import { placeAt } from "./place.ts";
import { ProgressLine } from "./progress.ts";
import { openReceipt } from "./receipt.ts";
import { clientFor } from "./registry_client.ts";
import {
  asStellaError,
  findingText,
  plural,
  sequenceLines,
  sizeText,
  verdictJson,
} from "./render.ts";
import { rememberBundle } from "./seen.ts";
import { readTrust, resultOf, type VerifyFlags } from "./verify.ts";

export interface LoadFlags extends VerifyFlags, ReceiptFlags {
  readonly to: string;
  readonly map?: readonly string[] | undefined;
  readonly flatten?: boolean | undefined;
  readonly only?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
  readonly partial?: boolean | undefined;
  readonly recheck?: boolean | undefined;
  readonly configs?: string | undefined;
}

interface Target {
  /** `HOST[:PORT]`. */
  authority: string;
  prefix: string;
  /** `http:` or `https:`. */
  protocol: string;
  client: RegistryClient;
}

export async function loadBundle(named: string, options: LoadFlags, host: Host): Promise<Result> {
  if (named === "-" || isRegistry(named)) throw notInDirectory(named);
  const rules = { map: (options.map ?? []).map(parseMapping), flatten: options.flatten === true };
  const isWanted = matcherOf(options.only ?? []);
  const state = stateDirectory(host.environment);
  const place = await placeAt("load", named, options, host);
  const target = await openTarget(options, host);
  const receipt = openReceipt(options, host);
  try {
    const trust = readTrust(options, host, place.directories);
    await confineForBundle(host, ["net", "write"]);
    const bundle = await openBundle(place, trust, options, receipt?.watch);
    if (bundle.content === undefined) {
      receipt?.end(bundle.verdict);
      return resultOf(bundle, host, { text: "  Nothing was loaded.\n" });
    }
    const { payload, set } = bundle.content;
    const images = selectImages(set, isWanted);
    if (images.length === 0) throw nothingToLoad(named, options);
    const repositories = mapRepositories(images, { ...rules, prefix: target.prefix });
    const configs = options.configs === undefined
      ? undefined
      : openConfigs(options.configs, images, repositories, target, host);
    const line = new ProgressLine(host, options.quiet === true || options.json === true);
    const report = await loadImages({
      client: target.client,
      payload,
      set,
      images,
      repositories,
      dryRun: options.dryRun === true,
      partial: options.partial === true,
      recheck: options.recheck === true,
      progress: (done, total) => line.update("load", done, total),
      signal: host.stop,
    }).finally(() => line.end());
    const verdict = withReport(bundle.verdict, report);
    if (verdict.ok && options.dryRun !== true) {
      await rememberBundle({ verdict, manifest: bundle.content.manifest }, options, state, host);
    }
    const loaded = report.images.map((image) => withAuthority(image, target));
    receipt?.end(verdict, loaded);
    const isLoaded = verdict.ok || options.partial === true;
    const written = isLoaded && !options.dryRun ? configs?.write() ?? [] : [];
    const shownReport = {
      ...report,
      images: loaded,
      to: targetName(target),
      unnamed: set.unnamed,
      withoutHostsToml: written.length === 0 ? [] : configs?.withoutHostsToml ?? [],
      files: [...options.receipt === undefined ? [] : [options.receipt], ...written],
    };
    return resultFor(shownReport, verdict, options.dryRun === true);
  } catch (thrown) {
    const error = host.stop.aborted ? interrupted() : explained(asStellaError(thrown));
    receipt?.end(error);
    throw error;
  } finally {
    target.client.close();
  }
}

/** An archive is read at many places, some of them twice. */
function notInDirectory(named: string): StellaError {
  const where = named === "-" ? "from standard input" : shown(named);
  const what = `Cannot load a bundle ${where}: it is not in a directory`;
  return new StellaError("argument_invalid", what, {
    hint: "pull it first: stella pull REFERENCE --to DIR",
  });
}

/** Names of images have colons, which those of files have not. */
function matcherOf(globs: readonly string[]): (name: string) => boolean {
  for (const glob of globs) {
    const fault = globFault(glob.replaceAll(":", "-"));
    if (fault === undefined) continue;
    throw new StellaError("argument_invalid", `Cannot select images by ${shown(glob)}: ${fault}`, {
      hint: "write it as in --only 'docker.io/library/*'",
    });
  }
  const matchers = globs.map(globMatcher);
  return (name) => matchers.length === 0 || matchers.some((matches) => matches(name));
}

async function openTarget(options: LoadFlags, host: Host): Promise<Target> {
  const { authority, prefix } = parseTarget(options.to);
  const reference = { authority, repository: prefix };
  const client = await clientFor(reference, options, host);
  const { plainHttp = false, ca } = options;
  const { protocol } = endpointOf(reference, { plainHttp, ca: ca !== undefined }).url;
  return { authority, prefix, protocol, client };
}

/** `oci://HOST[:PORT][/PREFIX]`. @throws StellaError usage */
export function parseTarget(text: string): { authority: string; prefix: string } {
  const trimmed = text.replace(/\/+$/, "");
  const isBare = /^oci:(?:\/\/)?[^/]+$/.test(trimmed);
  const { authority, repository, tag, digest } = parseReference(isBare ? `${trimmed}/x` : trimmed);
  if (tag === undefined && digest === undefined) {
    return { authority, prefix: isBare ? "" : repository };
  }
  const what = `Cannot load into ${shown(text)}: it names a single image`;
  throw new StellaError("argument_invalid", what, {
    hint: "name the registry, and what all repositories begin with: oci://HOST[:PORT]/PREFIX",
  });
}

interface Bundle {
  verdict: Verdict;
  /** Absent if the bundle is refused. */
  content?: { manifest: Manifest; payload: BundleSource; set: ImageSet };
}

/** Who signed it is checked first; then the list of its images, from the bytes that were signed. */
async function openBundle(
  place: Place,
  trust: Trust,
  options: LoadFlags,
  watch: (source: BundleSource) => BundleSource = (source) => source,
): Promise<Bundle> {
  const opened = place.open(trust);
  const integrityOnly = options.integrityOnly === true;
  const { verdict, manifest } = await verifyManifest(watch(opened.source), {
    ...trust,
    integrityOnly,
  });
  const marked = options.trustFromMedia && verdict.signer !== undefined
    ? { ...verdict, trustFromMedia: true as const }
    : verdict;
  if (manifest === undefined || !verdict.ok) return { verdict: marked };
  opened.onManifest?.(manifest);
  const document = await readDocument(opened.source, manifest);
  const sizes = document?.blobs.map(({ digest, size }) => [blobPath(digest), size] as const);
  const payload = await openPayload(opened.source, manifest, new Map(sizes));
  return {
    verdict: marked,
    content: { manifest, payload, set: await readImageSet(payload, document) },
  };
}

/** images.json, if the bundle has one; a layout that was packed as files has none. */
async function readDocument(source: BundleSource, { files }: Manifest) {
  const file = files.find(({ path }) => path === imagesName);
  if (file === undefined) return undefined;
  const bytes = await readSmall(source, file.path, maxImagesBytes, "images_invalid");
  if (bytes === undefined) {
    throw new StellaError("file_missing", `Cannot read ${shown(file.path)}: not found`, {
      hint: "copy it here: the manifest lists it",
    });
  }
  if (bytes.length === file.size && sha256(bytes) === file.sha256) return readImages(bytes);
  throw new StellaError("digest_mismatch", `Cannot use ${shown(file.path)}: it was changed`, {
    hint: "copy the file again from an intact copy: it was changed after signing",
  });
}

function nothingToLoad(named: string, { only = [] }: LoadFlags): StellaError {
  const found = only.length === 0
    ? "its layout names no image"
    : `no image matches ${only.map(shown).join(" or ")}`;
  return new StellaError("argument_invalid", `Cannot load ${shown(named)}: ${found}`, {
    hint: only.length === 0
      ? "export it again from a layout whose index.json has names: HOST/REPOSITORY:TAG"
      : "show the names with: stella load PLACE --to REGISTRY --dry-run",
  });
}

function withAuthority(image: LoadedImage, { authority }: Target): LoadedImage {
  return { ...image, target: `${authority}/${image.target}` };
}

/** What was read from the bundle had to match its digest; the rest of it was not read. */
function withReport(verdict: Verdict, { findings: more, blobs, manifests }: LoadReport): Verdict {
  const findings = [...verdict.findings, ...more];
  const filesVerified = blobs.sent + manifests;
  const kind = worstOf(more.map((found) => found.kind));
  if (kind === undefined) return { ...verdict, filesVerified };
  return {
    ...verdict,
    ok: false,
    code: exitCodes[kind],
    verdict: "refused",
    filesVerified,
    findings,
  };
}

function interrupted(): StellaError {
  return new StellaError("interrupted", "Interrupted: no tag refers to an incomplete image", {
    hint: sentStays,
  });
}

const sentStays = "run the same command again: what was sent is still there";

function explained(error: StellaError): StellaError {
  if (!(error instanceof RemoteError) || error.hint !== undefined) return error;
  return error.reworded(error.message, { hint: sentStays });
}

interface ShownReport extends LoadReport {
  /** `HOST[:PORT]/PREFIX`. */
  to: string;
  unnamed: readonly string[];
  /** Hosts for which containerd cannot use the mirror. */
  withoutHostsToml: readonly string[];
  /** What was written here. */
  files: readonly string[];
}

function targetName({ authority, prefix }: Target): string {
  return prefix === "" ? authority : `${authority}/${prefix}`;
}

function resultFor(report: ShownReport, verdict: Verdict, dryRun: boolean): Result {
  const { findings: _, ...facts } = report;
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), dryRun, ...facts },
    text: loadedText(report, verdict, dryRun),
  };
}

function notesOf({ unnamed, withoutHostsToml }: ShownReport): string[] {
  const noToml = "hosts.toml replaces hosts, not repositories";
  return [
    ...unnamed.map((digest) => `${digest} has no name and was not loaded`),
    ...withoutHostsToml.map((name) => `containerd cannot use the mirror for ${name}: ${noToml}`),
  ];
}

function loadedText(report: ShownReport, verdict: Verdict, dryRun: boolean): string {
  const { signer, findings } = verdict;
  const { images, blobs, bytes, to, files } = report;
  const results = Object.entries(Object.groupBy(images, ({ result }) => result))
    .map(([result, some = []]) => `${some.length} ${result}`).join(", ");
  const [head, sent, mounted] = dryRun
    ? ["would load", "to send", "to mount"]
    : ["loaded    ", "sent", "mounted"];
  const counts = `${plural(blobs.sent, "blob")} ${sent}, ${blobs.mounted} ${mounted}, ` +
    `${blobs.existed} were there, ${sizeText(bytes)}`;
  const isKept = images.some(({ result }) => result === "pending");
  const lines = [
    `${head}${to}: ${plural(images.length, "image")}, ${results}`,
    ...sequenceLines(verdict),
    ...signer === undefined ? [] : [`  signed by ${signer.name} (${signer.keyid})`],
    `  ${counts}`,
    ...images.map(imageText),
    ...notesOf(report).map((note) => `  note      ${note}`),
    ...files.map((path) => `  wrote     ${path}`),
  ];
  const kept = "  No tag was set, because not all images are complete; --partial sets some.";
  return [...lines.map(escaped), ...findings.map(findingText), ...isKept ? [kept] : []]
    .join("\n") + "\n";
}

function imageText({ name, target, result, referrers }: LoadedImage): string {
  const more = referrers === 0 ? "" : `, ${plural(referrers, "referrer")}`;
  return `  ${result.padEnd(10)}${name} -> ${target}${more}`;
}
