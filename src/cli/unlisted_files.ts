/**
 * Files that lie beside a manifest and that it does not list. They are no part of the bundle and no
 * fault of it, since people put notes and keys on a stick, but nobody has looked at them: that is
 * said.
 */
import { attestationName, hmacName, type Manifest, manifestName } from "../bundle/manifest.ts";
import { maxDirectoryBytes } from "../bundle/source.ts";
import type { Note } from "../verify/verdict.ts";

/** Names that are told; a stick may hold any number. */
const most = 20;

/** @throws what the system says */
export function notesBeside(directory: string, { files }: Manifest): Note[] {
  if (Deno.statSync(directory).size > maxDirectoryBytes) return [{ reason: "not_searched" }];
  const known = new Set([
    manifestName,
    attestationName,
    hmacName,
    ...files.map(({ path }) => path),
  ]);
  const names: string[] = [];
  let more = 0;
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    if (isDirectory || known.has(name)) continue;
    if (names.length < most) names.push(name);
    else more++;
  }
  return [
    ...names.sort().map((path): Note => ({ reason: "not_listed", path })),
    ...(more === 0 ? [] : [{ reason: "not_listed", more } as const]),
  ];
}
