/**
 * `stella export bundle list` and `show`: what a bundle holds, read in place. Both are verifications that tell more: each file with
 * size, digest and kind, and after them everything that is wrong. Without `--manifest`, `list` shows what the service has stored.
 */
import { StellaError } from "../domain/errors.ts";
import { type ArtifactKind, artifactKind, headLength } from "../domain/artifact_kind.ts";
import { escaped } from "../domain/names.ts";
import { readManifest } from "../bundle/read_manifest.ts";
import { manifestName } from "../bundle/manifest.ts";
import { directorySource, readSmall } from "../bundle/source.ts";
import { maxManifestBytes } from "../bundle/read_manifest.ts";
import { requireStateDirectory } from "../config/paths.ts";
import { FileStore } from "../store/files/store.ts";
import type { OnFile, PayloadFile } from "../verify/on_file.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Host } from "./host.ts";
import type { Result } from "./program.ts";
import { counted, findingText, sizeText, verdictJson } from "./render.ts";
import { bundleDirectory } from "./bundle_place.ts";
import { judge, type VerifyOptions } from "./judge.ts";

interface Artifact extends Omit<PayloadFile, "mode"> {
  kind: ArtifactKind;
}

export async function listCommand(options: VerifyOptions, host: Host): Promise<Result> {
  if (options.manifest === undefined) return await listStore(host);
  const entries: Artifact[] = [];
  const quiet = options.json === true || options.quiet === true;
  // Text goes out as it is found: a bundle may have a million files.
  const onArtifact = quiet
    ? (one: Artifact) => void entries.push(one)
    : (one: Artifact) => host.stdout(lineOf(one));
  const verdict = await look(options, host, onArtifact);
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), entries },
    text: [...verdict.findings.map(findingText), ""].join("\n").replace(/^\n$/, ""),
  };
}

export async function showCommand(options: VerifyOptions, host: Host): Promise<Result> {
  const directory = bundleDirectory(manifestOf(options));
  const kinds: Partial<Record<ArtifactKind, { files: number; bytes: number }>> = {};
  const verdict = await look(options, host, ({ kind, size }) => {
    const { files, bytes } = kinds[kind] ?? { files: 0, bytes: 0 };
    kinds[kind] = { files: files + 1, bytes: bytes + size };
  });
  const files = await filesBeside(directory);
  const sorted = Object.entries(kinds).sort(([a], [b]) => a < b ? -1 : 1);
  return {
    code: verdict.code,
    json: { ...verdictJson(verdict), artifacts: Object.fromEntries(sorted), files },
    text: showText(verdict, sorted, files),
  };
}

/** A look proves no origin, so an unknown signer is reported and is no refusal; wrong bytes are one. */
async function look(
  options: VerifyOptions,
  host: Host,
  onArtifact: (one: Artifact) => void,
): Promise<Verdict> {
  const directory = bundleDirectory(manifestOf(options));
  const { tap, end } = kindTap(onArtifact);
  const verdict = await judge(directory, { ...options, integrityOnly: true }, host, tap);
  end();
  return verdict;
}

/** Tells the kind of each file by its first bytes, in one piece or several. */
function kindTap(onArtifact: (one: Artifact) => void): { tap: OnFile; end: () => void } {
  let open: { file: PayloadFile; head: Uint8Array[]; length: number } | undefined;
  const end = () => {
    if (open === undefined) return;
    const { file, head } = open;
    open = undefined;
    const { path, size, sha256 } = file;
    onArtifact({ path, size, sha256, kind: artifactKind(path, joined(head)) });
  };
  const tap: OnFile = (file) => {
    end();
    const now = open = { file, head: [] as Uint8Array[], length: 0 };
    return (piece) => {
      if (now.length >= headLength) return;
      const part = piece.slice(0, headLength - now.length);
      now.head.push(part);
      now.length += part.length;
    };
  };
  return { tap, end };
}

function joined(parts: Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : new Uint8Array(parts.flatMap((part) => [...part]));
}

function manifestOf({ manifest }: VerifyOptions): string {
  if (manifest !== undefined) return manifest;
  throw new StellaError("usage", "Cannot show a bundle: none was named", {
    hint: "for example: stella export bundle show --manifest out/manifest.json",
  });
}

function lineOf({ path, size, sha256, kind }: Artifact): string {
  return `${sha256}  ${String(size).padStart(12)}  ${kind.padEnd(9)}  ${escaped(path)}\n`;
}

interface Beside {
  path: string;
  role: string;
  size: number;
  sha256: string;
}

/** What the manifest lists; the verification before has read it without complaint, or has thrown. */
async function filesBeside(directory: string): Promise<Beside[]> {
  const bytes = await readSmall(directorySource(directory), manifestName, maxManifestBytes);
  const { files } = readManifest(bytes!);
  return files.map(({ path, role, size, sha256 }) => ({ path, role, size, sha256 }));
}

function showText(
  verdict: Verdict,
  kinds: [string, { files: number; bytes: number }][],
  files: Beside[],
): string {
  const { bundle, signer, claimedKeyid, findings } = verdict;
  const signed = signer !== undefined
    ? `${escaped(signer.name)} (${signer.keyid}), trusted here`
    : claimedKeyid !== undefined
    ? `${claimedKeyid}, not trusted here`
    : "nobody that is known";
  const lines = bundle === undefined ? [] : [
    `${bundle.profile} of ${bundle.created}, tenant ${bundle.tenant}`,
    `  digest    sha256:${bundle.bundleDigest}`,
    `  made by   ${bundle.tool.name} ${bundle.tool.version} (${bundle.tool.commit})`,
    `  signed by ${signed}`,
    `  payload   ${counted(bundle.files, "file")}, ${sizeText(bundle.bytes)}`,
    ...kinds.map(([kind, { files, bytes }]) =>
      `    ${kind.padEnd(10)} ${counted(files, "file")}, ${sizeText(bytes)}`
    ),
    "  beside the manifest",
    ...files.map(({ path, role, size }) =>
      `    ${role.padEnd(10)} ${escaped(path)}, ${sizeText(size)}`
    ),
  ];
  const wrong = findings.filter(({ code }) => code !== "untrusted");
  const end = wrong.length === 0 ? [] : ["  wrong", ...wrong.map(findingText)];
  return [...lines, ...end, ""].join("\n");
}

/** The stored bundles with what their manifests say; a manifest that cannot be read is told and ends nothing. */
async function listStore(host: Host): Promise<Result> {
  const store = new FileStore(requireStateDirectory(host.environment));
  const items = [];
  for (const stored of store.list()) {
    const directory = store.path(stored);
    items.push({ ...stored, directory, ...await factsOf(directory) });
  }
  const bad = items.filter((one) => "fault" in one).length;
  const lines = items.map((one) =>
    `${one.tenant}  ${one.profile}  ${one.exportId}  ${
      "fault" in one ? escaped(one.fault) : `${one.created}  ${counted(one.files, "file")}`
    }`
  );
  return {
    code: bad === 0 ? 0 : 3,
    json: { ok: bad === 0, code: bad === 0 ? 0 : 3, findings: [], bundles: items },
    text: lines.length === 0 ? "no bundle is stored here\n" : lines.join("\n") + "\n",
  };
}

async function factsOf(directory: string) {
  try {
    const source = directorySource(directory);
    const bytes = await readSmall(source, manifestName, maxManifestBytes);
    if (bytes === undefined) return { fault: `it has no ${manifestName}` };
    const { created, payload } = readManifest(bytes);
    return { created, files: payload.files, bytes: payload.bytes };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}
