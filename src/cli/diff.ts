/**
 * `stella diff A B`: compares two manifests and, in constant memory, two sorted indexes. No archive
 * is read and no signature is checked.
 */
import { StellaError } from "../domain/errors.ts";
import { IndexFault } from "../bundle/index_file.ts";
import { indexName, type Manifest } from "../bundle/manifest.ts";
import { escaped, shown } from "../domain/names.ts";
import { comparePaths } from "../domain/paths.ts";
import type { BundleSource, ByteReader } from "../bundle/source.ts";
import { IndexReader } from "../verify/index_reader.ts";
import type { CommonFlags, Result } from "./command.ts";
import type { Host } from "./host.ts";
import { confineForBundle } from "./permissions.ts";
import { manifestIn, type PlaceFlags } from "./open_bundle.ts";
import { placeAt } from "./place.ts";
import { plural } from "./render.ts";

interface FieldChange {
  field: string;
  /** Values in A and B; absent if the field is. */
  a: string | number | undefined;
  b: string | number | undefined;
}

interface FileChange {
  change: "added" | "removed" | "changed";
  path: string;
  /** SHA-256 in A and in B. */
  a?: string;
  b?: string;
}

interface Side {
  name: string;
  source: BundleSource;
  manifest: Manifest;
}

export async function diffBundles(
  first: string,
  second: string,
  options: PlaceFlags & CommonFlags,
  host: Host,
): Promise<Result> {
  for (const named of [first, second]) refuseStream(named);
  const places = [
    await placeAt("compare", first, options, host),
    await placeAt("compare", second, options, host),
  ] as const;
  await confineForBundle(host, places.flatMap(({ needs }) => needs));
  const opened = places.map((place) => place.open({ trusted: [] }));
  try {
    const [a, b] = await Promise.all(opened.map(async ({ source }): Promise<Side> => {
      return { name: source.name, source, manifest: await manifestIn(source, "compare") };
    }));
    if (a === undefined || b === undefined) throw new TypeError("two bundles are compared");
    return await compared(a, b, options, host);
  } finally {
    opened.forEach((one) => one.close?.());
  }
}

/** A stream can only be read once, and both indexes are read side by side. */
function refuseStream(named: string): void {
  if (named !== "-") return;
  throw new StellaError("argument_invalid", "Cannot compare a bundle from standard input", {
    hint: "save the stream as a directory first: stella pull URL --to DIR",
  });
}

async function compared(a: Side, b: Side, options: CommonFlags, host: Host): Promise<Result> {
  const manifest = fieldChanges(a.manifest, b.manifest);
  const counts = { added: 0, removed: 0, changed: 0 };
  const differences: FileChange[] = [];
  const isText = !options.json && !options.quiet;
  if (isText) host.stdout(manifest.map(fieldText).join(""));
  for await (const one of fileChanges(a, b)) {
    counts[one.change]++;
    // Text is printed immediately: there may be a million differences.
    if (isText) host.stdout(fileText(one));
    else if (options.json) differences.push(one);
  }
  const { added, removed, changed } = counts;
  const same = manifest.length + added + removed + changed === 0;
  return {
    json: { same, manifest, counts, differences, findings: [], files: [] },
    text: same
      ? "the same: manifests and indexes say the same of every file\n"
      : `${plural(manifest.length, "field")} of the manifest, ${plural(added, "file")} added, ` +
        `${removed} removed, ${changed} changed\n`,
  };
}

function fieldChanges(a: Manifest, b: Manifest): FieldChange[] {
  const [inA, inB] = [fieldsOf(a), fieldsOf(b)];
  const fields = [...new Set([...inA.keys(), ...inB.keys()])];
  return fields.map((field) => ({ field, a: inA.get(field), b: inB.get(field) }))
    .filter(({ a, b }) => a !== b);
}

/** All single values; of a file beside the manifest size and digest, which cover its chunks. */
function fieldsOf(manifest: Manifest): Map<string, string | number> {
  const { files, tool, payload, ...plain } = manifest;
  const within = (prefix: string, values: object) =>
    Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value] as const);
  const values: (readonly [string, string | number | undefined])[] = [
    ...Object.entries(plain),
    ...within("tool", tool),
    ...within("payload", payload),
    ...files.flatMap(({ path, size, sha256 }) => within(`files[${path}]`, { size, sha256 })),
  ];
  return new Map(values.flatMap(([name, value]) => value === undefined ? [] : [[name, value]]));
}

async function* fileChanges(a: Side, b: Side): AsyncGenerator<FileChange> {
  const opened: OpenIndex[] = [];
  try {
    for (const side of [a, b]) opened.push(await openIndex(side));
    const [left, right] = opened;
    if (left !== undefined && right !== undefined) yield* merge(left.index, right.index);
    for (const { check } of opened) await check();
  } catch (error) {
    if (!(error instanceof IndexFault)) throw error;
    const text = `Cannot compare: an index is malformed: ${error.reason}`;
    throw new StellaError("index_malformed", text, {
      hint: "verify both bundles: stella verify PLACE",
    });
  } finally {
    for (const { reader } of opened) reader.close();
  }
}

async function* merge(left: IndexReader, right: IndexReader): AsyncGenerator<FileChange> {
  for (;;) {
    const [a, b] = [await left.peek(), await right.peek()];
    if (a === undefined && b === undefined) return;
    const order = a === undefined ? 1 : b === undefined ? -1 : comparePaths(a.path, b.path);
    if (order <= 0) left.take();
    if (order >= 0) right.take();
    if (a !== undefined && order < 0) yield { change: "removed", path: a.path, a: a.sha256 };
    else if (b !== undefined && order > 0) yield { change: "added", path: b.path, b: b.sha256 };
    else if (a !== undefined && b !== undefined && a.sha256 !== b.sha256) {
      yield { change: "changed", path: a.path, a: a.sha256, b: b.sha256 };
    }
  }
}

interface OpenIndex {
  index: IndexReader;
  reader: ByteReader;
  /** @throws StellaError differs if it does not match the manifest */
  check: () => Promise<void>;
}

async function openIndex({ name, source, manifest: { files } }: Side): Promise<OpenIndex> {
  const file = files.find(({ role }) => role === "index");
  const reader = file && await source.open(file.path);
  if (file === undefined || reader === undefined) {
    throw new StellaError("file_missing", `Cannot compare ${shown(name)}: it has no ${indexName}`);
  }
  const index = new IndexReader(reader, file.size);
  const check = async () => {
    const found = await index.finish();
    if (found.sha256 === file.sha256 && found.size === file.size) return;
    const what = `Cannot compare ${shown(name)}: its ${indexName} is not the one of its manifest`;
    throw new StellaError("digest_mismatch", what, {
      hint: "verify the bundle, then copy it again: the differences shown cannot be relied on",
    });
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
