/**
 * Run as a child: replaces `file` below argument 0 by a pipe after it was checked, and prints the
 * result of reading it in the way that argument 1 names. Opening a pipe without a writer must not
 * block.
 */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { digestFiles } from "../../src/bundle/file_digests.ts";
import { Opener } from "../../src/bundle/source.ts";
import { messageOf } from "../../src/domain/errors.ts";

const [root, way] = Deno.args as [string, string];
const look = Deno.lstatSync;
Deno.lstatSync = (path) => {
  const stat = look(path);
  renameSync(join(root, "pipe"), join(root, "file"));
  return stat;
};
let printed: string;
try {
  printed = way === "digest"
    ? JSON.stringify(digestFiles(root, ["file"], 100))
    : `${await new Opener(root).open("file")?.read(new Uint8Array(100))}`;
} catch (error) {
  printed = messageOf(error);
}
Deno.stdout.writeSync(new TextEncoder().encode(printed));
