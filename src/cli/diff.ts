/**
 * `stella export bundle diff A B`: what differs between two bundles, by field of their manifests and by file of their indexes. Two
 * sorted streams side by side, so that a million files cost no memory. No archive is read and no signature is judged.
 */
import { StellaError } from "../domain/errors.ts";
import { IndexFault } from "../bundle/index_file.ts";
import { indexName, type Manifest, manifestName } from "../bundle/manifest.ts";
import { escaped, shown } from "../domain/names.ts";
import { comparePaths } from "../domain/paths.ts";
import { maxManifestBytes, readManifest } from "../bundle/read_manifest.ts";
import { type ByteReader, directorySource, readSmall } from "../bundle/source.ts";
import { grants } from "../config/permissions.ts";
import { confine, proveConfined } from "../verify/confine.ts";
import { IndexReader } from "../verify/index_reader.ts";
import type { Host } from "./host.ts";
import type { CommonOptions, Result } from "./program.ts";
import { counted } from "./render.ts";
import { bundleDirectory } from "./bundle_place.ts";

interface FieldChange {
  field: string;
  /** What A and B say; absent where the field is. */
  a?: string | number;
  b?: string | number;
}

interface FileChange {
  change: "added" | "removed" | "changed";
  path: string;
  /** sha256 in A and in B. */
  a?: string;
  b?: string;
}

export async function diffCommand(
  options: CommonOptions,
  host: Host,
  args: string[],
): Promise<Result> {
  const [a, b] = args.map(bundleDirectory) as [string, string];
  confine(Deno.permissions, grants);
  proveConfined();
  const manifests = [await manifestIn(a), await manifestIn(b)] as const;
  const manifest = fieldChanges(...manifests);
  const counts = { added: 0, removed: 0, changed: 0 };
  const files: FileChange[] = [];
  const isText = !options.json && !options.quiet;
  if (isText) host.stdout(manifest.map(fieldText).join(""));
  for await (const one of fileChanges(a, b, manifests)) {
    counts[one.change]++;
    // Text goes out as it is found: there may be a million differences.
    if (isText) host.stdout(fileText(one));
    else if (options.json) files.push(one);
  }
  const { added, removed, changed } = counts;
  const same = manifest.length + added + removed + changed === 0;
  return {
    code: 0,
    json: {
      ok: true,
      code: 0,
      same,
      manifest,
      counts,
      differences: files,
      findings: [],
      files: [],
    },
    text: same
      ? "the same: manifests and indexes say the same of every file\n"
      : `${counted(manifest.length, "field")} of the manifest, ${counted(added, "file")} added, ` +
        `${removed} removed, ${changed} changed\n`,
  };
}

async function manifestIn(directory: string): Promise<Manifest> {
  const bytes = await readSmall(directorySource(directory), manifestName, maxManifestBytes);
  if (bytes !== undefined) return readManifest(bytes);
  throw new StellaError(
    "manifest",
    `Cannot compare ${shown(directory)}: it has no ${manifestName}`,
  );
}

function fieldChanges(a: Manifest, b: Manifest): FieldChange[] {
  const [inA, inB] = [fieldsOf(a), fieldsOf(b)];
  const fields = [...new Set([...inA.keys(), ...inB.keys()])];
  return fields.filter((field) => inA.get(field) !== inB.get(field)).map((field) => {
    const [left, right] = [inA.get(field), inB.get(field)];
    return {
      field,
      ...(left === undefined ? {} : { a: left }),
      ...(right === undefined ? {} : { b: right }),
    };
  });
}

/** All that is one value; of a file beside the manifest its size and digest, which cover its chunks. */
function fieldsOf(manifest: Manifest): Map<string, string | number> {
  const { files, tool, payload, ...plain } = manifest;
  const values: [string, string | number | undefined][] = [
    ...Object.entries(plain),
    ...Object.entries(tool).map(([name, value]) => [`tool.${name}`, value] as [string, string]),
    ...Object.entries(payload).map(([name, value]) =>
      [`payload.${name}`, value] as [string, string | number]
    ),
    ...files.flatMap(({ path, size, sha256 }): [string, string | number][] => [
      [`files[${path}].size`, size],
      [`files[${path}].sha256`, sha256],
    ]),
  ];
  return new Map(values.filter((one): one is [string, string | number] => one[1] !== undefined));
}

async function* fileChanges(
  a: string,
  b: string,
  manifests: readonly [Manifest, Manifest],
): AsyncGenerator<FileChange> {
  const left = await openIndex(a, manifests[0]);
  try {
    const right = await openIndex(b, manifests[1]);
    try {
      yield* merge(left.index, right.index);
      await left.check();
      await right.check();
    } finally {
      right.reader.close();
    }
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    throw new StellaError("unexpected", `Cannot compare: an index is malformed: ${error.reason}`, {
      hint: "verify both bundles: stella export bundle verify --manifest PATH",
    });
  } finally {
    left.reader.close();
  }
}

async function* merge(left: IndexReader, right: IndexReader): AsyncGenerator<FileChange> {
  for (;;) {
    const [a, b] = [await left.peek(), await right.peek()];
    if (a === undefined && b === undefined) return;
    const order = a === undefined ? 1 : b === undefined ? -1 : comparePaths(a.path, b.path);
    if (order <= 0) left.take();
    if (order >= 0) right.take();
    if (order < 0) yield { change: "removed", path: a!.path, a: a!.sha256 };
    else if (order > 0) yield { change: "added", path: b!.path, b: b!.sha256 };
    else if (a!.sha256 !== b!.sha256) {
      yield { change: "changed", path: a!.path, a: a!.sha256, b: b!.sha256 };
    }
  }
}

interface OpenIndex {
  index: IndexReader;
  reader: ByteReader;
  /** @throws StellaError digest where it is not the one of the manifest */
  check: () => Promise<void>;
}

async function openIndex(directory: string, { files }: Manifest): Promise<OpenIndex> {
  const file = files.find(({ role }) => role === "index")!;
  const reader = await directorySource(directory).open(file.path);
  if (reader === undefined) {
    throw new StellaError("missing", `Cannot compare ${shown(directory)}: it has no ${indexName}`);
  }
  const index = new IndexReader(reader, file.size);
  const check = async () => {
    const found = await index.finish();
    if (found.sha256 === file.sha256 && found.size === file.size) return;
    throw new StellaError(
      "digest",
      `Cannot compare ${shown(directory)}: its ${indexName} is not the one of its manifest`,
      { hint: "the differences shown are worth nothing: verify the bundle, copy it again" },
    );
  };
  return { index, reader, check };
}

function fieldText({ field, a, b }: FieldChange): string {
  const text = (value: string | number | undefined) =>
    value === undefined ? "(none)" : escaped(String(value));
  return `  ${escaped(field)}  ${text(a)} -> ${text(b)}\n`;
}

const marks = { added: "+", removed: "-", changed: "~" };

function fileText({ change, path }: FileChange): string {
  return `${marks[change]} ${escaped(path)}\n`;
}
