/**
 * A bundle as the service streams it, entry by entry, and what verification says of such a stream.
 */
import { Buffer } from "node:buffer";
import { TarStream, type TarStreamInput } from "@std/tar";
import {
  attestationName,
  hmacName,
  indexName,
  type Manifest,
  manifestName,
} from "../../src/bundle/manifest.ts";
import { comparePaths } from "../../src/domain/paths.ts";
import { StreamSource } from "../../src/bundle/stream_source.ts";
import { computeVerdict } from "../../src/verify/verdict.ts";
import { outcomeOf } from "./outcome.ts";
import { type MadeBundle, mtime } from "./bundle_fixture.ts";

const heads = [manifestName, attestationName, hmacName, indexName];

/** The names of a bundle in the order of the stream. */
export function order({ files }: Pick<MadeBundle, "files">): string[] {
  const rest = [...files.keys()].filter((name) => !heads.includes(name)).sort(comparePaths);
  return [...heads.filter((name) => files.has(name)), ...rest];
}

/** An entry with other content, mode or time than the bundle's own. */
export interface Entry {
  path: string;
  content?: Uint8Array;
  mode?: number;
  mtime?: number;
}

/**
 * The tar that TarStream writes of `entries`; a name alone is the bundle's own file, or a stray
 * one.
 */
export async function streamOf(
  made: Pick<MadeBundle, "files">,
  entries: readonly (string | Entry)[] = order(made),
): Promise<Buffer> {
  const inputs = entries.map((one): TarStreamInput => {
    const entry = typeof one === "string" ? { path: one } : one;
    const bytes = entry.content ?? made.files.get(entry.path) ?? new TextEncoder().encode("stray");
    return {
      type: "file",
      path: entry.path,
      size: bytes.length,
      readable: new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(),
      options: { mode: entry.mode ?? 0o644, mtime: entry.mtime ?? mtime },
    };
  });
  const stream = ReadableStream.from(inputs).pipeThrough(new TarStream());
  return Buffer.from(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).bytes());
}

/** A reader that returns fewer bytes than requested, as a pipe does. */
export function sourceOf(bytes: Uint8Array, max = 4099): StreamSource {
  let at = 0;
  return new StreamSource("standard input", (buffer) => {
    const part = bytes.subarray(at, at + Math.min(buffer.length, max));
    buffer.set(part);
    at += part.length;
    return Promise.resolve(part.length === 0 ? null : part.length);
  });
}

/** `code reason path` of everything that is wrong with the bundle and with the stream. */
export async function verifyStream(bytes: Uint8Array, made: MadeBundle, max?: number) {
  const source = sourceOf(bytes, max);
  let manifest: Manifest | undefined;
  const begin = (read: Manifest) => void (manifest = read);
  const outcome = await outcomeOf(source, [made.key.trusted], { begin });
  if (outcome.verdict === undefined || manifest === undefined) {
    return { code: outcome.code, found: outcome.findings };
  }
  const findings = [...outcome.verdict.findings, ...await source.finish(manifest)];
  return {
    code: computeVerdict(findings, false).code,
    found: findings.map(({ reason, path }) => `${reason} ${path}`).sort(),
  };
}
