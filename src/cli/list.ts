/**
 * `stella list` and `stella show`: the content of a bundle, verified in place, with all findings.
 * Without a place, `list` shows the bundles stored by the service.
 */
import type { Manifest } from "../bundle/manifest.ts";
import { type BundleSource, directorySource } from "../bundle/source.ts";
import { requireStateDirectory } from "../config/paths.ts";
import { type ArtifactKind, artifactKind, headLength } from "../domain/artifact_kind.ts";
import { messageOf } from "../domain/errors.ts";
import { escaped } from "../domain/names.ts";
import type { CarriedImage } from "../images/layout.ts";
import { FileStore } from "../store/files/store.ts";
import type { OnFile, PayloadFile } from "../verify/files.ts";
import type { Verdict } from "../verify/verdict.ts";
import { imageJson, imageLine, ImageListKeeper } from "./carried_images.ts";
import type { Result } from "./command.ts";
import type { Host } from "./host.ts";
import { manifestIn } from "./open_bundle.ts";
import { placeAt } from "./place.ts";
import { findingText, plural, sizeText, verdictJson } from "./render.ts";
import { type Verified, type VerifyFlags, verifyPlace } from "./verify.ts";

interface Artifact extends Omit<PayloadFile, "mode"> {
  kind: ArtifactKind;
}

export async function listBundle(named: string, options: VerifyFlags, host: Host): Promise<Result> {
  const entries: Artifact[] = [];
  const quiet = options.json === true || options.quiet === true;
  // Text is printed immediately: a bundle may have a million files.
  const onArtifact = quiet
    ? (one: Artifact) => void entries.push(one)
    : (one: Artifact) => host.stdout(lineOf(one));
  const { verdict, images } = await look("list", named, options, host, onArtifact);
  const carried = images.length === 0 ? {} : { images: images.map(imageJson) };
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), entries, ...carried },
    text: [...images.map(imageLine), ...verdict.findings.map((one) => `${findingText(one)}\n`)]
      .join(""),
  };
}

export async function showBundle(named: string, options: VerifyFlags, host: Host): Promise<Result> {
  const kinds: Partial<Record<ArtifactKind, { files: number; bytes: number }>> = {};
  const verified = await look("show", named, options, host, ({ kind, size }) => {
    const { files, bytes } = kinds[kind] ?? { files: 0, bytes: 0 };
    kinds[kind] = { files: files + 1, bytes: bytes + size };
  });
  const { verdict, manifest } = verified;
  const files = (manifest?.files ?? [])
    .map(({ path, role, size, sha256 }) => ({ path, role, size, sha256 }));
  const sorted = Object.entries(kinds).sort(([a], [b]) => a < b ? -1 : 1);
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), artifacts: Object.fromEntries(sorted), files },
    text: showText(verdict, sorted, files),
  };
}

/** An unknown signer is only reported, because this proves no origin. */
async function look(
  action: string,
  named: string,
  options: VerifyFlags,
  host: Host,
  onArtifact: (one: Artifact) => void,
): Promise<Verified & { images: CarriedImage[] }> {
  const { onFile, end } = kindReporter(onArtifact);
  const keeper = new ImageListKeeper();
  const through = (source: BundleSource) => keeper.through(source);
  const place = await placeAt(action, named, options, host);
  const checked = { ...options, integrityOnly: true };
  const verified = await verifyPlace(place, checked, host, { onFile, through });
  end();
  const { manifest } = verified;
  return { ...verified, images: manifest === undefined ? [] : keeper.images(manifest) };
}

/** Reports the kind of each file by its first bytes, in one piece or several. */
function kindReporter(onArtifact: (one: Artifact) => void): { onFile: OnFile; end: () => void } {
  let end = () => {};
  const onFile: OnFile = ({ path, size, sha256 }) => {
    end();
    const head = new Uint8Array(Math.min(size, headLength));
    let length = 0;
    end = () => {
      end = () => {};
      onArtifact({ path, size, sha256, kind: artifactKind(path, head.subarray(0, length)) });
    };
    return (piece) => {
      const part = piece.subarray(0, head.length - length);
      head.set(part, length);
      length += part.length;
    };
  };
  return { onFile, end: () => end() };
}

function lineOf({ path, size, sha256, kind }: Artifact): string {
  return `${sha256}  ${String(size).padStart(12)}  ${kind.padEnd(9)}  ${escaped(path)}\n`;
}

function showText(
  verdict: Verdict,
  kinds: readonly [string, { files: number; bytes: number }][],
  files: readonly Pick<Manifest["files"][number], "path" | "role" | "size">[],
): string {
  const { bundle, signer, claimedKeyid, findings } = verdict;
  const signed = signer !== undefined
    ? `${escaped(signer.name)} (${signer.keyid}), trusted here`
    : claimedKeyid !== undefined
    ? `${claimedKeyid}, not trusted here`
    : "no known key";
  const lines = bundle === undefined ? [] : [
    `${bundle.profile} of ${bundle.created}, tenant ${bundle.tenant}`,
    `  digest    sha256:${bundle.bundleDigest}`,
    ...(bundle.sequence === undefined ? [] : [`  sequence  ${bundle.sequence}`]),
    `  made by   ${bundle.tool.name} ${bundle.tool.version} (${bundle.tool.commit})`,
    `  signed by ${signed}`,
    `  payload   ${plural(bundle.files, "file")}, ${sizeText(bundle.bytes)}`,
    ...kinds.map(([kind, { files, bytes }]) =>
      `    ${kind.padEnd(10)} ${plural(files, "file")}, ${sizeText(bytes)}`
    ),
    "  beside the manifest",
    ...files.map(({ path, role, size }) =>
      `    ${role.padEnd(10)} ${escaped(path)}, ${sizeText(size)}`
    ),
  ];
  const wrong = findings.filter(({ kind }) => kind !== "untrusted");
  const end = wrong.length === 0 ? [] : ["  wrong", ...wrong.map(findingText)];
  return [...lines, ...end, ""].join("\n");
}

/** The stored bundles; an unreadable manifest is reported and skipped. */
export async function listStore({ environment }: Host): Promise<Result> {
  const store = new FileStore(requireStateDirectory(environment));
  const items = [];
  for (const stored of store.list()) {
    const directory = store.path(stored);
    items.push({ ...stored, directory, ...await factsOf(directory) });
  }
  const isBad = items.some((one) => "fault" in one);
  const lines = items.map((one) =>
    `${one.tenant}  ${one.profile}  ${one.exportId}  ${
      "fault" in one ? escaped(one.fault) : `${one.created}  ${plural(one.files, "file")}`
    }\n`
  );
  return {
    code: isBad ? 3 : 0,
    json: { findings: [], bundles: items },
    text: lines.length === 0 ? "no bundle is stored here\n" : lines.join(""),
  };
}

async function factsOf(directory: string) {
  try {
    const { created, sequence, payload } = await manifestIn(directorySource(directory), "list");
    return { created, sequence, files: payload.files, bytes: payload.bytes };
  } catch (error) {
    return { fault: messageOf(error) };
  }
}
