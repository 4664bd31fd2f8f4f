/**
 * Run as a child: exports argument 0 into argument 1, in every form, with the umask of argument 2.
 */
import { join } from "node:path";
import process from "node:process";
import { type Changes, run } from "../support/run_export.ts";

const [input, out, umask] = Deno.args;
process.umask(Number(umask));
const forms: Record<string, Changes> = {
  plain: { compression: "none" },
  zstd: {},
  volumes: { volumeSize: 8 << 20 },
  directory: { layout: "directory" },
};
for (const [form, options] of Object.entries(forms)) await run(join(out!, form), input!, options);
