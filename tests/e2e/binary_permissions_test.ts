/** What the binary's commands may still do when their work begins. */
import { holdToLines } from "../support/permission_lines.ts";
import { binaryTest } from "./binary_place.ts";

Deno.test(
  binaryTest([], "in the binary each command has exactly what the list says", async ({ home }) => {
    await holdToLines((args) => home.stella(args));
  }),
);
